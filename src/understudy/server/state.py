"""The server's memory at its start: the store is opened, and the first configuration chosen from it."""

from collections.abc import Mapping
from pathlib import Path

from understudy import telemetry
from understudy.clock import Clock
from understudy.config_message import PLATFORMS
from understudy.config_text import format_config, parse_config_text
from understudy.control.facts import ConfigOrder, Recorded
from understudy.errors import Code, ConfigError, StartupError, StoreError
from understudy.model_config import ServerConfig, validate
from understudy.rollout import Change, resumed
from understudy.server.start_rule import Take, choose_start
from understudy.server_options import ServeOptions
from understudy.store.revision import Draft, Origin, Revision
from understudy.store.revisions import RevisionStore
from understudy.store.store import Store


def open_store(options: ServeOptions, clock: Clock) -> Store:
    """The store in the state directory; in memory when there is none, or when a default one is of no use.

    Raises:
        StartupError: the directory was asked for and cannot be used; or what is in it is damaged.
    """
    if options.state_dir is None:
        return Store(clock)
    try:
        return Store(clock, Path(options.state_dir))
    except StoreError as error:
        if options.state_dir_is_required or error.code is not Code.UNAVAILABLE:
            raise StartupError(error.message, code=error.code) from error
        telemetry.get_logger().warning(
            "state_is_in_memory",
            reason=f"{error} Configurations given to this server end with it; choose with --state-dir.",
        )
        return Store(clock)


def resume_traffic(store: Store, clock: Clock) -> Mapping[str, Change]:
    """What is on record of models' traffic, and what the last server's end changes about it; by model.

    It is on record again before anything is loaded: a candidate that takes the process with it is counted
    whatever happens next. From now on, an end is a sudden one unless it is noted to be in good order.

    Raises:
        StartupError: the record cannot be read, or this program cannot take it, or it cannot be written.
    """
    now = clock.now()
    try:
        was_orderly = store.ends.was_orderly()
        changes = {
            model: resumed(model, traffic, was_clean=was_orderly, now=now)
            for model, traffic in store.rollouts.in_force().items()
        }
        store.rollouts.record(changes)
        store.ends.note_begun()
    except StoreError as error:
        raise StartupError(error.message, code=error.code) from error
    return changes


def build_first_order(options: ServeOptions, store: RevisionStore, *, waits_for_retries: bool) -> ConfigOrder:
    """The order for the configuration that a start puts in force.

    Raises:
        StartupError: the revision on record is to be resumed, and this program cannot take it.
        StoreError: the record cannot be read or written.
    """
    declared = format_config(options.models)
    choice = choose_start(declared, is_as_before=store.is_declared(declared), newest=store.newest())
    log = telemetry.get_logger()
    if isinstance(choice, Take):
        log.info("config_taken", models=len(options.models.models), reason=choice.reason)
        draft = Draft(Origin.STARTUP, options.config_file or "flags", declared)
        return ConfigOrder(config=options.models, record=draft, waits_for_retries=waits_for_retries)
    head, config = choice.revision.head, _parse(choice.revision)
    log.info(
        "config_resumed",
        revision=head.number,
        origin=head.origin.value,
        models=len(config.models),
        reason=choice.reason,
    )
    if choice.revision.text == declared:
        store.note_declared(declared)
    return ConfigOrder(config=config, record=Recorded(head.number), waits_for_retries=waits_for_retries)


def _parse(revision: Revision) -> ServerConfig:
    try:
        config = parse_config_text(revision.text) or ServerConfig()
        validate(config, PLATFORMS)
    except ConfigError as error:
        raise StartupError(
            f"Revision {revision.head.number} of the configuration is to be resumed, and this program cannot "
            f"take it: {error}. Start the program that recorded it; or change the file or the flags, which "
            "then win; or name another state directory.",
            code=error.code,
        ) from error
    return config
