"""What happens in a world of rollouts, drawn from its seed; and a seed played to its end."""

from collections.abc import Callable
from dataclasses import replace

from tests.simulation.rollouts.world import (
    FINDINGS,
    SETTLE_EVERY,
    Core,
    Trace,
    World,
    build_world,
    draw_plan,
    draw_policy,
    no_trace,
)
from understudy.model_config import ModelConfig
from understudy.rollout.commands import (
    Abort,
    Approve,
    ClearWeights,
    Command,
    Pause,
    Promote,
    Quarantine,
    Release,
    Resume,
    SetWeights,
    Start,
    Undo,
)
from understudy.rollout.consequences import weighted_versions
from understudy.rollout.plan import Strategy


def do_nothing(world: World) -> None:
    """A quiet moment."""


def publish(world: World) -> None:
    """A version appears; some are corrupt."""
    version = world.draw_version(is_new=world.random.random() < 0.7)
    world.found.add(version)
    world.corrupt.discard(version)
    if world.random.random() < 0.2:
        world.corrupt.add(version)
    world.trace(f"{world.now:9.1f}   publish {version}")


def delete(world: World) -> None:
    """A version's files go."""
    weights = world.live.weights
    chosen = world.found if weights is None else world.found & weighted_versions(weights)
    if chosen and world.random.random() < 0.5:
        version = world.random.choice(sorted(chosen))
        world.found.discard(version)
        world.trace(f"{world.now:9.1f}   delete {version}")


def start(world: World) -> None:
    """An operator rolls a version out, mostly one that is new."""
    version = world.draw_version(is_new=world.random.random() < 0.7)
    plan = draw_plan(world.random) if world.random.random() < 0.8 else None
    world.commands.append(Start(candidate=version, plan=plan))


def order(world: World) -> None:
    """An operator orders whatever comes to mind, mostly something that can be done."""
    random = world.random
    version = world.draw_version(is_new=False)
    about_rollouts: tuple[Command, ...] = (
        *(Resume(), Approve()) * 4,
        Pause(),
        Promote(),
        Abort(quarantines=random.random() < 0.5),
        Undo(),
    )
    about_versions: tuple[Command, ...] = (
        ClearWeights(),
        Quarantine(version=version),
        Release(version=random.choice(sorted(world.live.quarantined) or [version])),
    )
    is_sensible = random.random() < 0.9
    commands = about_rollouts if is_sensible == (world.live.rollout is not None) else about_versions
    world.commands.append(random.choice(commands))


def set_weights(world: World) -> None:
    """An operator splits traffic by hand."""
    versions = sorted(world.process.ready) or [1]
    chosen = world.random.sample(versions, min(len(versions), world.random.choice((1, 2, 3))))
    cuts = sorted(world.random.sample(range(1, 10_000), len(chosen) - 1))
    bounds = [0, *cuts, 10_000]
    shares = tuple(
        (version, stop - first) for version, first, stop in zip(chosen, bounds, bounds[1:], strict=False)
    )
    world.commands.append(SetWeights(weights=shares))


def change_verdict(world: World) -> None:
    """The evidence says something else."""
    world.finding = world.random.choice(FINDINGS)
    world.is_split_broken = world.random.random() < 0.05


def change_policy(world: World) -> None:
    """The configuration's version policy is another one, or the model comes back."""
    config = world.config or ModelConfig("ada", "/models/ada")
    _configure(world, replace(config, version_policy=draw_policy(world)))


def change_labels(world: World) -> None:
    """The configuration assigns labels that rollouts set, too."""
    if world.config is not None:
        names = world.random.choice(((), ("stable",), ("canary", "stable")))
        labels = tuple((name, world.draw_version(is_new=False)) for name in names)
        _configure(world, replace(world.config, labels=labels))


def move(world: World) -> None:
    """The model's base path is another one."""
    if world.config is not None and world.random.random() < 0.1:
        base_path = "/other/ada" if world.config.base_path == "/models/ada" else "/models/ada"
        _configure(world, replace(world.config, base_path=base_path))
        world.process.look = None


def remove(world: World) -> None:
    """The model is taken out of the configuration."""
    if world.random.random() < 0.1:
        _configure(world, None)


def change_strategy(world: World) -> None:
    """The model becomes managed, or is no longer."""
    if world.random.random() < 0.3:
        plan = draw_plan(world.random)
        world.strategy = world.random.choice((None, Strategy(starts_itself=True, plan=plan)))
        world.trace(f"{world.now:9.1f}   strategy: {world.strategy is not None}")


def fail_store(world: World) -> None:
    """The store fails for a while, or works again."""
    world.store.is_failing = world.random.random() < 0.4
    world.trace(f"{world.now:9.1f}   the store {'fails' if world.store.is_failing else 'works'}")


def kill(world: World) -> None:
    """The process will be killed, between a decision, its record and its effect."""
    world.kill_in = world.random.choice((0, 0, 1, 3))


def stop(world: World) -> None:
    """The process ends in good order."""
    world.stop()


def _configure(world: World, config: ModelConfig | None) -> None:
    world.trace(f"{world.now:9.1f}   configure {config}")
    world.config = config
    if config is None:
        world.process.look = None


DEEDS: tuple[Callable[[World], None], ...] = (
    *(do_nothing,) * 70,
    *(publish,) * 4,
    *(start,) * 3,
    *(order,) * 4,
    *(change_verdict,) * 4,
    delete,
    set_weights,
    change_policy,
    change_labels,
    move,
    remove,
    change_strategy,
    *(fail_store,) * 2,
    *(kill,) * 2,
    stop,
)


def run_seed(seed: int, steps: int, trace: Trace = no_trace, played: Core | None = None) -> World:
    """Plays a seed for so many steps, and lets it settle now and then."""
    world = build_world(seed, trace, played)
    for step in range(1, steps + 1):
        world.random.choice(DEEDS)(world)
        world.tick(world.random.choice((0.1, 1.0, 5.0, 20.0, 60.0, 60.0, 300.0)))
        if step % SETTLE_EVERY == 0 or step == steps:
            world.settle()
    return world
