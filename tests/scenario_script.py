"""Scenario scripts: what one may write in tests/scenarios/*.txt, and what it prints.

A script is blocks separated by blank lines. A block is commands, a line `----`, and the expected output;
lines that start with `#` are prose. Commands:

    options [retries=N] [interval=SECONDS] [memory=BYTES] [transition=resource] [labels=any]   at the beginning
    model NAME latest N | all | specific V,V,... [at PATH] [labels L=V,L=V,...] [transition WORD]
                             adds or changes; `refused` and the reason when it cannot be
    forget NAME              takes the model out of the configuration
    disk NAME V [FILES] [estimate=BYTES]   a version directory appears, or its files become FILES
    rm NAME V                it disappears
    vanish NAME / return NAME    the base path cannot be read / can be read again
    quarantine NAME V        from now on never aspired
    restart                  the process is killed and begins anew with the configuration in force
    look                     the source looks at every model; one step, and more if other looks are awaited
    wait SECONDS             time passes; one step
    loaded NAME/V SECONDS    a load succeeds; one step
    failed NAME/V CODE TEXT  a load fails; one step
    overdue NAME/V SECONDS   a load has passed its deadline; one step
    withdrawn NAME/V         a load was withdrawn before it began; one step
    unloaded NAME/V [LEFT]   an unload ends, with LEFT requests outliving the drain; one step

NAME/V+N is the Nth new incarnation of a version that was loaded from elsewhere before.

    retry NAME/V             an operator wants it tried again; one step
    status                   prints every version, as kept inside and as told to clients
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.driver import Driver, Step
from understudy.errors import Code, ConfigError
from understudy.lifecycle import Load, ManagerOptions, Overlay, Unload, Withdraw
from understudy.model_config import All, Latest, ModelConfig, Specific, Transition, VersionPolicy
from understudy.routing import ModelRoute
from understudy.servable import (
    Event,
    Failure,
    Loaded,
    LoadFailed,
    LoadOverdue,
    LoadWithdrawn,
    Outcome,
    ServableId,
    Unloaded,
    VersionSnapshot,
    WireState,
)

SEPARATOR = "----"
UNLOAD_DURATION_S = 0.1
TRANSITIONS = {
    "availability": Transition.AVAILABILITY_PRESERVING,
    "resource": Transition.RESOURCE_PRESERVING,
}


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
                self.driver = Driver(_options(arguments), may_label_unavailable="labels=any" in arguments)
            case "model", [name, *rest]:
                return self._configure(_model(name, rest))
            case "restart", []:
                self.driver.restart()
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

    def _configure(self, model: ModelConfig) -> list[str]:
        """Orders a configuration; one that must wait for looks gets them."""
        printed: list[str] = []
        try:
            order = self.driver.configure((self.configs | {model.name: model}).values())
            if order.config is not self.driver.config:
                printed.extend(_describe(self._look()))
                if order.config is not self.driver.config:
                    order.answer.result(timeout=0)
        except ConfigError as error:
            return [*printed, f"refused: {error.code.name}: {error}"]
        self.configs[model.name] = model
        return printed

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

    def _look(self) -> Step:
        step = self.driver.step(looks=self.driver.look_at_all())
        while step.wants_look:
            more = self.driver.step(looks=self.driver.look_at_all())
            step = Step(
                step.events + more.events,
                step.updates + more.updates,
                step.orders + more.orders,
                more.wants_look,
            )
        return step

    def _step(self, word: str, arguments: list[str]) -> Step:
        driver = self.driver
        match word, arguments:
            case "look", []:
                return self._look()
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
            yield f"{model.name}: default {route.default_version}" + (" (removed)" if model.removed else "")
            for version in reversed(model.versions):
                yield f"  {_version_line(version)}"
            for status in route.statuses:
                error = (
                    f" {Code(status.error_code).name}: {status.error_message}" if status.error_code else ""
                )
                yield f"  {status.version} is told as {WireState(status.state).name}{error}"


def _version_line(version: VersionSnapshot) -> str:
    incarnation = f"+{version.incarnation}" if version.incarnation else ""
    aspired = "aspired" if version.aspired else "not aspired"
    return f"{version.version}{incarnation} {version.state.name}, {aspired}"


def _options(arguments: list[str]) -> ManagerOptions:
    given = dict(argument.split("=") for argument in arguments)
    defaults = ManagerOptions()
    return ManagerOptions(
        transition=TRANSITIONS[given.get("transition", "availability")],
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
        transition=TRANSITIONS[given["transition"]] if "transition" in given else None,
    )


def _servable(text: str) -> ServableId:
    name, _, which = text.partition("/")
    version, _, incarnation = which.partition("+")
    return ServableId(name, int(version), int(incarnation or 0))


def _outcome(word: str, arguments: list[str]) -> Outcome:
    match word, arguments:
        case "loaded", [servable, duration]:
            return Loaded(_servable(servable), float(duration))
        case "failed", [servable, code, *text]:
            return LoadFailed(_servable(servable), 0.2, Failure(Code[code], " ".join(text)))
        case "overdue", [servable, deadline]:
            return LoadOverdue(_servable(servable), float(deadline))
        case "withdrawn", [servable]:
            return LoadWithdrawn(_servable(servable))
        case "unloaded", [servable, *left]:
            return Unloaded(_servable(servable), UNLOAD_DURATION_S, sum(int(number) for number in left))
        case _:
            raise ValueError(f"cannot read: {word} {arguments}")


def _describe(step: Step) -> Iterator[str]:
    yield from (_event_line(event) for event in step.events)
    for update in step.updates:
        yield from (_route_line(route) for route in update.changed)
        yield from (f"route {name}: forgotten" for name in update.removed)
    for order in step.orders:
        match order:
            case Load():
                yield f"do: load {_which(order.servable)} from {order.path}"
            case Withdraw():
                yield f"do: withdraw the load of {_which(order.servable)}"
            case Unload():
                yield f"do: unload {_which(order.servable)}"
            case _:
                raise AssertionError(f"{order} should have been answered within the step")


def _which(servable: ServableId) -> str:
    return f"{servable}+{servable.incarnation}" if servable.incarnation else str(servable)


def _event_line(event: Event) -> str:
    servable = ServableId(event.model, event.version or 0, event.incarnation)
    who = event.model if event.version is None else _which(servable)
    what = event.kind if event.state is None else event.state.name
    return f"{event.at:g}s {who} {what}: {event.reason}"


def _route_line(route: ModelRoute) -> str:
    ready = ", ".join(str(version) for version in route.ready_versions) or "none"
    labels = "".join(f", {each.label} is {each.version}" for each in route.labels)
    return f"route {route.name}: ready {ready}; default {route.default_version}{labels}"
