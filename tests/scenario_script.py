"""Scenario scripts: what one may write in tests/scenarios/*.txt, and what it prints.

A script is blocks separated by blank lines. A block is commands, a line `----`, and the expected output;
lines that start with `#` are prose. Commands:

    options [retries=N] [interval=SECONDS] [memory=BYTES] [transition=resource]   before anything else
    model NAME latest N | all | specific V,V,... [at PATH] [labels L=V,L=V,...]   adds or changes
    forget NAME              takes the model out of the configuration
    disk NAME V [FILES] [estimate=BYTES]   a version directory appears, or its files become FILES
    rm NAME V                it disappears
    vanish NAME / return NAME    the base path cannot be read / can be read again
    quarantine NAME V        from now on never aspired
    look                     the source looks at every model; one step
    wait SECONDS             time passes; one step
    loaded NAME/V SECONDS    a load succeeds; one step
    failed NAME/V CODE TEXT  a load fails; one step
    unloaded NAME/V [LEFT]   an unload ends, with LEFT requests outliving the drain; one step
    retry NAME/V             an operator wants it tried again; one step
    status                   prints every version, as kept inside and as told to clients
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.driver import Driver, Step
from understudy.errors import Code
from understudy.lifecycle import Load, ManagerOptions, ResourcePreserving
from understudy.lifecycle.aspire import Overlay
from understudy.model_config import All, Latest, ModelConfig, Specific, VersionPolicy
from understudy.routing import ModelRoute
from understudy.servable import (
    WIRE_STATES,
    Event,
    Failure,
    Loaded,
    LoadFailed,
    Outcome,
    ServableId,
    Unloaded,
    VersionSnapshot,
)

SEPARATOR = "----"
UNLOAD_DURATION_S = 0.1


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph of a script: prose and commands as written, the commands alone, the expected output."""

    written: tuple[str, ...]
    commands: tuple[str, ...]
    expected: tuple[str, ...]


def parse(text: str) -> list[Block]:
    """The blocks of a script."""
    return [_parse_block(paragraph.splitlines()) for paragraph in text.strip().split("\n\n")]


def run(blocks: list[Block]) -> list[Block]:
    """The same blocks with what was really printed."""
    script = Script()
    return [_run_block(script, block) for block in blocks]


def render(blocks: list[Block]) -> str:
    """The text of a script."""
    return "\n\n".join("\n".join(_render_block(block)) for block in blocks) + "\n"


def _parse_block(lines: list[str]) -> Block:
    split = lines.index(SEPARATOR) if SEPARATOR in lines else len(lines)
    commands = tuple(line for line in lines[:split] if not line.startswith("#"))
    return Block(tuple(lines[:split]), commands, tuple(lines[split + 1 :]))


def _run_block(script: "Script", block: Block) -> Block:
    printed: list[str] = []
    for command in block.commands:
        printed.extend(script.run(command))
    if block.commands and not printed:
        printed = ["nothing happens"]
    return Block(block.written, block.commands, tuple(printed))


def _render_block(block: Block) -> Iterator[str]:
    yield from block.written
    if block.commands:
        yield SEPARATOR
        yield from block.expected


@dataclass(slots=True)
class Script:
    """Runs commands against the core."""

    driver: Driver = field(default_factory=Driver)
    configs: dict[str, ModelConfig] = field(default_factory=dict)

    def run(self, command: str) -> list[str]:
        """One command; the lines it prints."""
        word, *arguments = command.split()
        match word, arguments:
            case "options", _:
                self.driver = Driver(_options(arguments))
            case "model", [name, *rest]:
                self.configs[name] = _model(name, rest)
                self.driver.configure(self.configs.values())
            case "forget", [name]:
                del self.configs[name]
                self.driver.configure(self.configs.values())
            case "disk" | "rm" | "vanish" | "return", [name, *rest]:
                self._change_disk(word, self.configs[name].base_path, rest)
            case "quarantine", [name, version]:
                self.driver.overlays[name] = Overlay(quarantined=frozenset({int(version)}))
            case "status", []:
                return list(self._status())
            case _:
                return list(_describe(self._step(word, arguments)))
        return []

    def _change_disk(self, word: str, base_path: str, rest: list[str]) -> None:
        source = self.driver.source
        match word, rest:
            case "disk", [version, *more]:
                estimate = sum(int(m.removeprefix("estimate=")) for m in more if m.startswith("estimate="))
                files = next((m for m in more if "=" not in m), "original")
                source.put(base_path, int(version), fingerprint=files, estimate_bytes=estimate)
            case "rm", [version]:
                source.delete(base_path, int(version))
            case "vanish", []:
                source.fail(base_path, Failure(Code.NOT_FOUND, f"{base_path} does not exist"))
            case "return", []:
                source.heal(base_path)
            case _:
                raise ValueError(f"cannot read: {word} {rest}")

    def _step(self, word: str, arguments: list[str]) -> Step:
        driver = self.driver
        match word, arguments:
            case "look", []:
                return driver.step(looks=driver.look_at_all())
            case "wait", [duration]:
                driver.clock.advance(float(duration))
                return driver.step()
            case "retry", [servable]:
                return driver.step(retries=[_servable(servable)])
            case _:
                return driver.step(outcomes=[_outcome(word, arguments)])

    def _status(self) -> Iterator[str]:
        for model in self.driver.manager.snapshots():
            route = self.driver.table.routes[model.name]
            told = {status.version: status for status in route.statuses}
            yield f"{model.name}: default {route.default_version}" + (" (removed)" if model.removed else "")
            for version in reversed(model.versions):
                status = told[version.version]
                error = (
                    f" {Code(status.error_code).name}: {status.error_message}" if status.error_code else ""
                )
                yield f"  {_version_line(version)}{error}"


def _version_line(version: VersionSnapshot) -> str:
    aspired = "aspired" if version.aspired else "-"
    wire = WIRE_STATES[version.state].name
    return f"{version.version:>3} {version.state.name:<9} {aspired:<7} told as {wire}"


def _options(arguments: list[str]) -> ManagerOptions:
    given = dict(argument.split("=") for argument in arguments)
    defaults = ManagerOptions()
    return ManagerOptions(
        transition=ResourcePreserving() if given.get("transition") == "resource" else defaults.transition,
        load_retries_max=int(given.get("retries", defaults.load_retries_max)),
        load_retry_interval_s=float(given.get("interval", defaults.load_retry_interval_s)),
        memory_limit_bytes=int(given["memory"]) if "memory" in given else None,
    )


def _model(name: str, words: list[str]) -> ModelConfig:
    policy: VersionPolicy
    match words:
        case ["latest", count, *rest]:
            policy = Latest(int(count))
        case ["all", *rest]:
            policy = All()
        case ["specific", versions, *rest]:
            policy = Specific(tuple(int(version) for version in versions.split(",")))
        case _:
            raise ValueError(f"cannot read the version policy: {words}")
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    labels = [pair.split("=") for pair in given["labels"].split(",")] if "labels" in given else []
    return ModelConfig(
        name,
        given.get("at", f"/models/{name}"),
        version_policy=policy,
        labels=tuple((label, int(version)) for label, version in labels),
    )


def _servable(text: str) -> ServableId:
    name, version = text.split("/")
    return ServableId(name, int(version))


def _outcome(word: str, arguments: list[str]) -> Outcome:
    match word, arguments:
        case "loaded", [servable, duration]:
            return Loaded(_servable(servable), float(duration))
        case "failed", [servable, code, *text]:
            return LoadFailed(_servable(servable), 0.2, Failure(Code[code], " ".join(text)))
        case "unloaded", [servable, *left]:
            return Unloaded(_servable(servable), UNLOAD_DURATION_S, sum(int(number) for number in left))
        case _:
            raise ValueError(f"cannot read: {word} {arguments}")


def _describe(step: Step) -> Iterator[str]:
    yield from (_event_line(event) for event in step.events)
    if step.update is not None:
        yield from (_route_line(route) for route in step.update.changed)
        yield from (f"route {name}: forgotten" for name in step.update.removed)
    for order in step.orders:
        if isinstance(order, Load):
            yield f"do: load {order.servable} from {order.path}"
        else:
            yield f"do: unload {order.servable}"


def _event_line(event: Event) -> str:
    who = event.model if event.version is None else f"{event.model}/{event.version}"
    what = event.kind if event.state is None else event.state.name
    return f"{event.at:g}s {who} {what}: {event.reason}"


def _route_line(route: ModelRoute) -> str:
    ready = ", ".join(str(version) for version in route.ready_versions) or "none"
    labels = "".join(f", {each.label} is {each.version}" for each in route.labels)
    return f"route {route.name}: ready {ready}; default {route.default_version}{labels}"
