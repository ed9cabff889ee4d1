"""Groups of training processes: one writes, and all synchronise."""

import sys
import types

import pytest

from convrnn_experiments.runtime.process_group import ProcessGroup


def test_a_single_process_writes_and_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax.experimental", None)  # importing it would fail
    group = ProcessGroup()
    assert (group.processes, group.process, group.is_writer) == (1, 0, True)
    group.wait("start")


def test_the_first_process_writes() -> None:
    assert [ProcessGroup("host:1", 3, process).is_writer for process in range(3)] == [True, False, False]


def test_processes_synchronise_at_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    multihost = types.SimpleNamespace(sync_global_devices=events.append)
    experimental = types.ModuleType("jax.experimental")
    experimental.multihost_utils = multihost  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jax", types.ModuleType("jax"))
    monkeypatch.setitem(sys.modules, "jax.experimental", experimental)
    ProcessGroup("host:1", 2, 1).wait("the folder exists")
    assert events == ["the folder exists"]
