"""Every honoured flag of tensorflow_model_server has tests that see what it does: this table says which.

Where a flag only sets what `understudy serve` sets too, one test shows that it does, and another what that is for.
"""

import re
from pathlib import Path

import pytest

from understudy.cli.tensorflow_flags import FLAGS, Treatment

TESTS = Path(__file__).parents[1]
CRATE = TESTS.parent / "crates" / "dataplane" / "src"

LIVE = "wire/test_tensorflow_flags.py"
OPTIONS = "unit/test_tensorflow_model_server.py"
OWN_OPTIONS = f"{OPTIONS}::test_what_tensorflow_serving_has_no_flag_for_has_one_here"
STOCK_OPTIONS = f"{OPTIONS}::test_honoured_flags_become_options"
WARM_UPS = f"{OPTIONS}::test_recorded_requests_are_replayed_as_often_as_asked_for"
RULES = "unit/test_tensorflow_flags.py::test_what_requests_may_do_is_the_operators_to_say"
SESSION = "tensorflow/test_session_flags.py::test_a_flag_of_tensorflow_serving_does_what_it_says"
STARTS = "wire/test_server_life.py::test_the_drop_in_command_serves_and_exits_255_when_its_model_is_broken"
TOGETHER = (
    "wire/test_together.py::test_tls_a_unix_socket_batches_and_the_metrics_page_go_together_in_the_drop_in"
)
PORTS = f"{LIVE}::test_each_door_listens_on_its_port_and_the_operators_on_theirs"
REST = f"{LIVE}::test_rest_gives_up_after_its_time_and_lets_other_origins_read"
POLLS = f"{LIVE}::test_versions_and_the_config_file_are_looked_at_as_often_as_said"
TRIES = f"{LIVE}::test_a_load_is_tried_as_often_as_said_and_then_ends_the_start"
LOGS = f"{LIVE}::test_request_logs_keep_to_their_sizes"
LITERT = "unit/test_litert_flags.py::test_tensorflow_lite_is_preferred_when_asked_for_and_its_pools_are_interpreters"

EFFECTS: dict[str, tuple[str, ...]] = {
    "port": (PORTS,),
    "grpc_socket_path": ("wire/test_unix_socket.py::test_the_drop_in_listens_on_its_socket_alone",),
    "rest_api_port": (PORTS,),
    "rest_api_timeout_in_ms": (REST,),
    "rest_api_enable_cors_support": (REST,),
    "rest_api_enable_compression": (
        "wire/test_rest_compression.py::test_the_drop_in_compresses_when_it_is_told_to",
    ),
    "grpc_channel_arguments": (
        "wire/test_unix_socket.py::test_an_old_connection_is_told_to_open_another_and_no_call_fails",
    ),
    "ssl_config_file": ("wire/test_tls.py::test_the_drop_in_takes_an_ssl_config_for_its_socket", TOGETHER),
    "rest_api_ssl_config_file": (TOGETHER,),
    "monitoring_config_file": (TOGETHER,),
    "admin_port": (PORTS,),
    "model_config_file": (PORTS,),
    "model_config_file_poll_wait_seconds": (POLLS,),
    "reload_timeout_s": (f"{LIVE}::test_a_reload_is_answered_within_the_limit_although_a_model_still_loads",),
    "rollout_config": (
        f"{OPTIONS}::test_the_plans_of_rollouts_come_from_a_file",
        "wire/test_rollouts.py::"
        "test_a_new_version_of_a_managed_model_gets_the_share_that_its_rollout_says_and_no_more",
    ),
    "state_dir": (f"{LIVE}::test_a_restart_resumes_what_was_acknowledged",),
    "model_name": (STARTS,),
    "model_base_path": (STARTS,),
    "allow_version_labels_for_unavailable_models": (
        f"{LIVE}::test_a_label_names_what_is_not_available_only_where_it_may",
    ),
    "request_log_dir": (LOGS,),
    "request_log_file_bytes_max": (LOGS,),
    "request_log_file_age_max_s": (
        f"{OPTIONS}::test_flags_of_request_logs_become_options",
        "request_log/files_tests.rs::files_are_ended_by_age_and_the_next_end_is_known",
    ),
    "request_log_bytes_max": (LOGS,),
    "file_system_poll_wait_seconds": (POLLS,),
    "num_load_threads": (
        STOCK_OPTIONS,
        "wire/test_many_models.py::test_more_loads_hang_than_there_are_threads_and_the_rest_goes_on",
    ),
    "num_unload_threads": (
        STOCK_OPTIONS,
        "wire/test_hung_request.py::test_hung_requests_hold_up_no_other_model_and_no_newer_version",
    ),
    "max_num_load_retries": (TRIES,),
    "load_retry_interval_micros": (TRIES,),
    "enable_model_warmup": (
        WARM_UPS,
        "tensorflow/test_warmup.py::test_records_are_left_alone_where_warm_up_is_off",
    ),
    "num_request_iterations_for_warmup": (
        WARM_UPS,
        "tensorflow/test_warmup.py::test_predict_records_are_replayed_as_often_as_asked_for",
    ),
    "load_timeout_s": (OWN_OPTIONS, "wire/test_many_models.py::test_a_load_that_comes_back_late_serves"),
    "drain_timeout_s": (
        OWN_OPTIONS,
        "wire/test_hung_request.py::test_after_the_drain_deadline_the_version_ends_and_its_request_is_still_answered",
    ),
    "transition_policy": (
        OWN_OPTIONS,
        "wire/test_transitions.py::test_resource_preserving_never_holds_two_and_answers_not_found_in_between",
    ),
    "memory_limit_bytes": (
        OWN_OPTIONS,
        "wire/test_memory_limit.py::test_what_does_not_fit_is_refused_by_name_and_loads_when_there_is_room",
    ),
    "memory_limit_fraction": (f"{OPTIONS}::test_a_memory_limit_may_be_a_share_of_the_machine",),
    "saved_model_tags": (
        "tensorflow/test_session_flags.py::test_a_graph_with_other_tags_fails_in_tensorflows_words",
    ),
    "tensorflow_session_parallelism": (SESSION,),
    "tensorflow_intra_op_parallelism": (SESSION,),
    "tensorflow_inter_op_parallelism": (SESSION,),
    "tensorflow_session_config_file": (SESSION,),
    "per_process_gpu_memory_fraction": (SESSION,),
    "enable_batching": (TOGETHER,),
    "batching_parameters_file": (TOGETHER,),
    "enable_per_model_batching_parameters": (
        "unit/test_batching_parameters.py::test_the_flags_of_the_drop_in_mean_what_they_mean_in_tensorflow_serving",
        "wire/test_batching.py::test_a_version_is_batched_by_the_file_beside_it",
    ),
    "enable_signature_method_name_check": (
        RULES,
        "tensorflow/test_examples.py::test_method_names_are_checked_when_the_operator_wants_it",
    ),
    "enable_session_run": (
        RULES,
        "tensorflow/test_session_run.py::test_tensors_of_the_graph_are_fed_and_fetched_by_name",
    ),
    "enable_serialization_as_tensor_content": (f"{LIVE}::test_answers_are_packed_over_grpc",),
    "mixed_precision": (SESSION,),
    "prefer_tflite_model": (
        LITERT,
        "litert/test_life.py::test_the_flag_decides_between_the_two_in_one_directory",
    ),
    "num_tflite_pools": (
        LITERT,
        "litert/test_life.py::test_memory_is_estimated_with_a_copy_of_the_weights_for_each_interpreter",
    ),
    "version": (f"{OPTIONS}::test_version_prints_two_lines",),
}
"""By flag: tests as `file::name`, below tests/ or, for Rust, the data plane's src/."""


def test_every_honoured_flag_is_in_the_table() -> None:
    honoured = [flag.name for flag in FLAGS if flag.treatment is Treatment.HONOURED]
    assert sorted(EFFECTS) == sorted(honoured)


@pytest.mark.parametrize("flag", EFFECTS)
def test_the_tests_of_a_flag_are_there_and_the_first_one_s_file_gives_it(flag: str) -> None:
    for number, test in enumerate(EFFECTS[flag]):
        file, name = test.split("::")
        text = (CRATE / file if file.endswith(".rs") else TESTS / file).read_text()
        assert re.search(rf"^(def| *fn) {name}\(", text, re.MULTILINE), test
        if number == 0:
            assert re.search(rf"\b{flag}\b", text), f"{file} does not give --{flag}"
