"""A scenario is what was written, checked whole: every problem at once, each with a way out."""

# ruff: noqa: E501 (messages stand whole)

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from tracereplay.errors import ScenarioError, TraceReplayError, UsageError
from tracereplay.scenario import Scenario, json_schema, with_settings
from tracereplay.settings import choice_settings, setting

EXAMPLE = """
seed = 7
tick = "1s"
[host]
memory = "75%"
policy = "random"
skip_fill_reads = true
[balloon]
controller = "static"
rate = "4k"
max = 0.65
[sharing]
mode = "ksm"
domain = "tenant"
[sample]
period = "30s"
n = 100
[allocation]
idle_tax = 0.75
[costs]
preset = "hdd"
cow_break = "30us"
[timeline]
every = "auto"
[[vm]]
name = "web"
trace = "traces/web.parquet"
trace_vm = 0
memory = "100%"
balloon = [["10s", "16MiB"], ["60s", 0]]
tenant = "a"
[[vm]]
trace = "table"
balloon = "25%"
tenant = "b"
[[vm]]
trace = "s3://bucket/x.parquet"
tenant = "b"
"""


def problems_of(source) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(source)
    return list(caught.value.problems)


def test_defaults_are_those_of_the_documentation():
    """Nothing said: no VM listed, host 75 % with random replacement, no balloon, no sharing."""
    s = Scenario.load({})
    assert (s.seed, s.tick, s.vm) == (0, None, ())
    assert (s.host.memory, s.host.policy, s.host.skip_fill_reads) == ("75%", "random", False)
    assert (s.host.free_page_reporting, s.host.free_frames) == (False, "zero")
    assert (s.balloon.controller, s.balloon.rate, s.balloon.max) == ("none", 4096, Fraction(13, 20))
    assert (s.sharing.mode, s.sharing.rate, s.sharing.domain) == ("none", 1000, "all")
    assert not any([s.sharing.zero_only, s.sharing.share_before_swap, s.sharing.use_zero_pages])
    assert (s.sample.period, s.sample.n) == ("30s", 100)
    assert (s.allocation.idle_tax, s.allocation.profile) == (Fraction(3, 4), "esx2002")
    assert (s.costs.preset, s.timeline.every) == ("nvme", "auto")
    vm = Scenario.load({"vm": [{"trace": "a"}]}).vm[0]
    assert (vm.memory, vm.policy, vm.balloon, vm.shares, vm.min, vm.start) == (
        "100%",
        "lru",
        None,
        1000,
        0,
        0,
    )
    assert (vm.name, vm.trace_vm, vm.family, vm.tenant) == (None, None, None, None)


def test_a_toml_file_is_read_and_its_traces_found_beside_it(tmp_path):
    """Every section arrives; relative paths follow the file, keys of tables and URIs stay."""
    path = tmp_path / "s.toml"
    path.write_text(EXAMPLE)
    s = Scenario.load(path, tables={"table"})
    assert s.traces == (str(tmp_path / "traces/web.parquet"), "table", "s3://bucket/x.parquet")
    assert s.vm[0].balloon == (("10s", "16MiB"), ("60s", 0))
    assert s.vm[1].balloon == "25%"
    assert s.balloon.rate == 4000
    assert s.costs.resolved()["cow_break"] == 30_000
    assert Scenario.load(str(path)).vm[1].trace == str(tmp_path / "table")
    assert Scenario.load(s) is s


def test_what_was_said_round_trips_through_json_and_pickle(tmp_path):
    """`to_dict` says the same scenario without defaults, in plain JSON; scenarios can be sent and hashed."""
    path = tmp_path / "s.toml"
    path.write_text(EXAMPLE)
    s = Scenario.load(path)
    assert Scenario.load(json.loads(json.dumps(s.to_dict()))) == s
    assert pickle.loads(pickle.dumps(s)) == s
    assert hash(s) == hash(Scenario.load(path))
    assert Scenario.load({}).to_dict() == {}
    third = Scenario(balloon={"max": Fraction(1, 3)})
    assert Scenario.load(json.loads(json.dumps(third.to_dict()))) == third


def test_a_scenario_is_frozen():
    """Neither the scenario nor a section can be changed in place."""
    s = Scenario.load({})
    with pytest.raises(ValidationError):
        s.seed = 3
    with pytest.raises(ValidationError):
        s.host.memory = 3


@pytest.mark.parametrize(
    ("preset", "read", "write"),
    [("nvme", 90_000, 20_000), ("ssd", 120_000, 45_000), ("hdd", 12_670_000, 13_670_000)],
)
def test_presets_give_the_costs_that_are_not_said(preset, read, write):
    """A preset is a swap device; a cost that is said wins."""
    costs = Scenario.load({"costs": {"preset": preset, "access": 0}}).costs.resolved()
    assert costs == {
        "access": 0, "guest_minor": 1500, "zero_fill": 2500, "cow_break": 20000, "swap_read": read, "swap_write": write,
    }  # fmt: skip


SIZE = 'a size such as "64MiB", a percentage such as "75%" or an integer number of pages'
TIME = 'a time such as "10s" or an integer in the trace\'s time unit'
TOP = "seed, tick, host, balloon, sharing, sample, allocation, costs, timeline, vm"
HOST = "memory, policy, skip_fill_reads, free_page_reporting, free_frames"
VM = "trace, name, trace_vm, memory, policy, balloon, shares, min, family, tenant, start"
STATIC = 'balloon.controller = "static" with it'
BAD = [
    ({"hosts": {}}, f"hosts: found an unknown key; expected one of {TOP}; did you mean host?"),
    ({"vms": []}, f"vms: found an unknown key; expected one of {TOP}; did you mean vm?"),
    ({"zzz": 1}, f"zzz: found an unknown key; expected one of {TOP}"),
    (
        {"memory": "75%"},
        f"memory: found an unknown key; expected one of {TOP}; did you mean host.memory or vm.*.memory?",
    ),
    ({"host": {"memroy": 1}}, f"host.memroy: found an unknown key; expected one of {HOST}; did you mean memory?"),
    ({"host": {"tick": 1}}, f"host.tick: found an unknown key; expected one of {HOST}"),
    ({"host": {"max": 1}}, f"host.max: found an unknown key; expected one of {HOST}; did you mean balloon.max?"),
    ({"host": "75%"}, f'host: found "75%"; expected a table with some of the keys {HOST}'),
    ({"host": {"memory": "64M"}}, f'host.memory: found "64M"; expected {SIZE}, with a unit that says whether it is '
     'binary or decimal; did you mean "64MiB"?'),
    ({"host": {"memory": 0.75}}, f'host.memory: found 0.75; expected {SIZE}; did you mean "75%"?'),
    ({"host": {"policy": "opt"}},
     'host.policy: found "opt"; expected a policy that does not need the future, '
     "which depends on the run itself"),
    ({"host": {"policy": 3}}, 'host.policy: found 3; expected a policy such as "lru" or "name:parameter=value"'),
    ({"host": {"skip_fill_reads": "yes"}},
     'host.skip_fill_reads: found "yes"; expected true or false; did you mean true?'),
    ({"host": {"skip_fill_reads": 2}}, "host.skip_fill_reads: found 2; expected true or false"),
    ({"host": {"free_frames": "min"}}, 'host.free_frames: found "min"; expected "zero": the reserve needs the '
     'free-memory states, which this version lacks; did you mean "zero"?'),
    ({"host": {"free_frames": "zer"}}, 'host.free_frames: found "zer"; expected "zero"; did you mean "zero"?'),
    ({"seed": -1}, 'seed: found -1; expected a count such as 1000 or "100k"; it cannot be negative'),
    ({"seed": 2**64}, f"seed: found {2**64}; expected a number up to {2**64 - 1}"),
    ({"tick": "10sec"}, f'tick: found "10sec"; expected {TIME}; did you mean "10s"?'),
    ({"balloon": {"max": 0}},
     'balloon.max: found 0; expected a fraction above 0 and below 1, such as 0.65 or "65%"'),
    ({"balloon": {"max": 1.0}},
     'balloon.max: found 1.0; expected a fraction above 0 and below 1, such as 0.65 or "65%"'),
    ({"balloon": {"max": 65}}, 'balloon.max: found 65; expected a fraction above 0 and below 1, such as 0.65 or '
     '"65%"; did you mean "65%"?'),
    ({"sharing": {"mode": "esx_sequential"}}, 'sharing.mode: found "esx_sequential"; expected one of "none", "ideal", '
     '"esx", "esx-sequential", "ksm"; did you mean "esx-sequential"?'),
    ({"sharing": {"mode": None}}, 'sharing.mode: found nothing; expected one of "none", "ideal", "esx", '
     '"esx-sequential", "ksm"'),
    ({"sharing": {"domain": "vms"}},
     'sharing.domain: found "vms"; expected one of "all", "vm", "tenant"; did you mean "vm"?'),
    ({"sharing": {"rate": "fast"}}, 'sharing.rate: found "fast"; expected a count such as 1000 or "100k"'),
    ({"allocation": {"idle_tax": 1}},
     'allocation.idle_tax: found 1; expected a fraction from 0 and below 1, such as 0.65 or "65%"'),
    ({"sample": {"n": 0}}, "sample.n: found 0; expected an integer from 1 to 2147483647"),
    ({"costs": {"swap_read": "90u"}}, 'costs.swap_read: found "90u"; expected a time such as "10s" or an integer '
     'number of ns; did you mean "90us"?'),
    ({"timeline": {"every": 0}},
     'timeline.every: found 0; expected "auto", an integer number of ticks ≥ 1 or a time such as "10s"'),
    ({"timeline": {"every": "Auto"}}, 'timeline.every: found "Auto"; expected "auto", an integer number of ticks ≥ 1 '
     'or a time such as "10s"; did you mean "auto"?'),
    ({"vm": {"trace": "a"}}, "vm: found one table; expected a list of tables; did you mean [[vm]]?"),
    ({"vm": ["a"]}, f'vm.0: found "a"; expected a table with some of the keys {VM}'),
    ({"vm": [{}]}, "vm.0.trace: found nothing; expected the path of a trace, or the key of an in-memory table"),
    ({"vm": [{"trace": ""}]}, 'vm.0.trace: found ""; expected a text that is not empty'),
    ({"vm": [{"trace": "a", "trace_vm": -1}]},
     'vm.0.trace_vm: found -1; expected a count such as 1000 or "100k"; it cannot be negative'),
    ({"vm": [{"trace": "a"}, {"trace": "b", "polcy": 1}]},
     f"vm.1.polcy: found an unknown key; expected one of {VM}; did you mean policy?"),
    ({"vm": [{"trace": "a", "name": "x"}, {"trace": "b"}, {"trace": "b", "name": "x"}]},
     'vm.2.name: found "x", as for vm.0; expected a name of its own'),
    ({"vm": [{"trace": "a", "balloon": "16MiB"}]},
     f'vm.0.balloon: found a balloon; expected {STATIC}, as "none" does not follow sizes'),
    ({"balloon": {"controller": "static"}, "vm": [{"trace": "a"}]}, 'balloon.controller: found "static" and no '
     'balloon; expected a size or a schedule for at least one VM, such as vm.0.balloon = "16MiB"'),
    (3, "scenario: found 3; expected the path of a TOML file, a dict or a Scenario"),
    ({3: 4}, "scenario: found 3; expected keys that are texts"),
]  # fmt: skip
BAD_SCHEDULES = [
    ("16M", 'vm.0.balloon: found "16M"; expected ' + SIZE + ", with a unit that says whether it is binary or decimal; "
     'did you mean "16MiB"?'),
    ([], "vm.0.balloon: found []; expected at least one [time, size]; leave the key out for no balloon"),
    (["10s", "16MiB"],
     'vm.0.balloon: found ["10s", "16MiB"]; expected a list of [time, size] pairs; did you mean [["10s", "16MiB"]]?'),
    ([[0, 4], [1]], 'vm.0.balloon.1: found [1]; expected a pair [time, size], such as ["10s", "16MiB"]'),
    ([["soon", 4]], f'vm.0.balloon.0.0: found "soon"; expected {TIME}'),
    ([[0, 4], ["1s", -4]], f"vm.0.balloon.1.1: found -4; expected {SIZE}; it cannot be negative"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), BAD, ids=[text.partition(":")[0] for _, text in BAD])
def test_one_wrong_thing_gives_exactly_one_message(source, message):
    """Each message, word for word: where, what was found, what was expected, what was meant."""
    assert problems_of(source) == [message]


@pytest.mark.parametrize(("balloon", "message"), BAD_SCHEDULES)
def test_wrong_balloons(balloon, message):
    """A schedule's problem names the entry and the item."""
    source = {"balloon": {"controller": "static"}, "vm": [{"trace": "a", "balloon": balloon}]}
    assert problems_of(source) == [message]


@pytest.mark.parametrize("where", ["host", "vm"])
def test_an_unknown_policy_or_parameter_is_named_with_its_key(where):
    """What the policies say about a text arrives under the key that holds it."""
    for text, part in [("lruu", "lru"), ("lru:hot=2", "hot")]:
        source = {"host": {"policy": text}} if where == "host" else {"vm": [{"trace": "a", "policy": text}]}
        [message] = problems_of(source)
        assert message.startswith("host.policy: " if where == "host" else "vm.0.policy: ")
        assert part in message


def test_an_unknown_controller_lists_those_that_exist():
    """Controllers come from the package; an unknown one does not hide behind a complaint on schedules."""
    source = {"balloon": {"controller": "statc"}, "vm": [{"trace": "a", "balloon": 3}]}
    [message] = problems_of(source)
    assert message.startswith('balloon.controller: found "statc"; expected one of ')
    assert message.endswith('did you mean "static"?')


def test_all_problems_come_at_once_each_on_a_line():
    """Problems of keys, of values and between keys arrive in one error, which is a ValueError too."""
    source = {
        "seed": "x",
        "hots": 1,
        "host": {"memory": -1, "plicy": 1},
        "vm": [{"name": "a"}, {"trace": "t", "name": "a", "balloon": 3, "start": "1sec"}],
    }
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(source)
    wheres = [text.partition(":")[0] for text in caught.value.problems]
    assert sorted(wheres) == sorted(
        ["seed", "hots", "host.memory", "host.plicy", "vm.0.trace", "vm.1.name", "vm.1.balloon", "vm.1.start"]
    )
    assert str(caught.value).splitlines() == list(caught.value.problems)
    assert isinstance(caught.value, ValueError)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, 'found no such file; expected a scenario in TOML; did you mean "{folder}/near.toml"?'),
        (b"PAR1....", "found a Parquet file; expected a scenario in TOML; give a trace as a trace"),
        (b"seed = \xff", "found bytes that are not UTF-8; expected a scenario in TOML"),
        (
            b"[host]\nmemory = 75%\n",
            "found broken TOML, Expected newline or end of document after a statement (at line 2, column 12); "
            'expected a scenario in TOML, where texts stand in quotes: memory = "75%"',
        ),
        (b"seed = -1\n", 'seed: found -1; expected a count such as 1000 or "100k"; it cannot be negative'),
    ],
)
def test_problems_of_a_file_start_with_its_name(tmp_path, content, message):
    """Missing, foreign, broken and wrong files: one sentence that names the file."""
    (tmp_path / "near.toml").touch()
    path = tmp_path / "neer.toml"
    if content is not None:
        path.write_bytes(content)
    assert problems_of(path) == [f"{path}: {message.format(folder=tmp_path)}"]


def test_a_folder_is_not_a_scenario(tmp_path):
    """The operating system's reason is passed on."""
    assert problems_of(tmp_path) == [
        f"{tmp_path}: found Is a directory; expected a readable scenario in TOML"
    ]


def test_traces_alone_make_a_scenario():
    """From paths: one entry each, settings on top; one path need not be in a list."""
    s = Scenario.from_traces([Path("a.parquet"), "b"], {"vm.*.policy": "fifo", "host.memory": "50%"})
    assert [(vm.trace, vm.policy) for vm in s.vm] == [("a.parquet", "fifo"), ("b", "fifo")]
    assert s.host.memory == "50%"
    assert Scenario.from_traces("a").traces == ("a",)
    with pytest.raises(ScenarioError, match="at least one trace"):
        Scenario.from_traces([])


def test_settings_reach_sections_and_vms_by_index_name_and_star():
    """Dotted keys replace what was said, and only that; texts are read like flags."""
    s = Scenario.load({"seed": 3, "vm": [{"trace": "a", "name": "x.y"}, {"trace": "b"}]})
    changed = with_settings(
        s,
        {
            "host.skip_fill_reads": "true",
            "sharing.rate": "100k",
            "balloon.controller": "static",
            "vm.*.memory": "50%",
            "vm.1.memory": 7,
            "vm.x.y.balloon": [["1s", 4]],
            "tick": "2s",
            "costs": {"preset": "hdd"},
        },
    )
    assert changed.to_dict() == {
        "seed": 3,
        "tick": "2s",
        "host": {"skip_fill_reads": True},
        "balloon": {"controller": "static"},
        "sharing": {"rate": 100_000},
        "costs": {"preset": "hdd"},
        "vm": [
            {"trace": "a", "name": "x.y", "memory": "50%", "balloon": [["1s", 4]]},
            {"trace": "b", "memory": 7},
        ],
    }
    assert s.to_dict() == {"seed": 3, "vm": [{"trace": "a", "name": "x.y"}, {"trace": "b"}]}
    without = with_settings(changed, {"vm.*.balloon": None, "balloon.controller": "none"})
    assert [vm.balloon for vm in without.vm] == [None, None]


def test_wrong_settings_come_all_at_once():
    """A key that leads nowhere is told beside values that do not fit."""
    s = Scenario.load({"vm": [{"trace": "a", "name": "x"}]})
    with pytest.raises(ScenarioError) as caught:
        with_settings(s, {"vm.7.memory": 3, "vm.policy": "lru", "host.a.b": 1, "tick": "x", "seed.x": 1, "hots.x": 1,
                          "vm.*.memory": "3M"})  # fmt: skip
    messages = caught.value.problems
    wheres = [text.partition(":")[0] for text in messages]
    assert wheres == ["vm.7.memory", "vm.policy", "host.a.b", "seed", "tick", "vm.0.memory", "hots"]
    assert messages[0] == 'vm.7.memory: found no VM "7"; expected one of *, 0 ("x")'
    assert messages[1] == (
        "vm.policy: found no such key; expected vm.<index, name or *>.<key>, such as vm.*.policy; "
        "did you mean vm.*.policy?"
    )
    assert messages[2] == "host.a.b: found no such key; expected section.key, such as host.memory"
    with pytest.raises(ScenarioError, match=r"^tick\.x: found no such key; expected tick alone"):
        with_settings(Scenario(tick=3), {"tick.x": 3})
    with pytest.raises(ScenarioError, match="expected a list of tables"):
        with_settings(Scenario(), {"vm": "x", "vm.0.memory": 3})
    assert with_settings(Scenario(), {"vm": [{"trace": "a"}], "vm.0.memory": 3}).vm[0].memory == 3
    with pytest.raises(ScenarioError, match="this one takes all"):
        with_settings(Scenario(), {"vm.0.memory": 3})


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("host.memory=50%", ("host.memory", "50%")),
        ("sharing.rate=1000", ("sharing.rate", 1000)),
        ("balloon.max = 0.5", ("balloon.max", 0.5)),
        ("host.skip_fill_reads=true", ("host.skip_fill_reads", True)),
        ('vm.0.balloon=[["1s", "25%"]]', ("vm.0.balloon", [["1s", "25%"]])),
        ('vm.0.name="a=b"', ("vm.0.name", "a=b")),
        ("vm.0.name=1\nseed = 2", ("vm.0.name", "1\nseed = 2")),
    ],
)
def test_flags_are_read_as_toml_or_text(text, pair):
    """`key=value` on the command line needs no quotes, but understands TOML."""
    assert setting(text) == pair


def test_flags_with_parameters_become_settings():
    """`--sharing ksm:rate=1000,zero_only=true` sets the mode and its section's keys."""
    settings = choice_settings("sharing.mode", "ksm:rate=100k,zero_only=true")
    assert settings == {"sharing.mode": "ksm", "sharing.rate": "100k", "sharing.zero_only": True}
    assert Scenario.from_traces("a", settings).sharing.rate == 100_000
    assert choice_settings("balloon.controller", "none") == {"balloon.controller": "none"}
    with pytest.raises(UsageError, match="key=value"):
        choice_settings("sharing.mode", "ksm:fast")


def test_the_json_schema_lists_every_key_and_choice():
    """Editors can complete keys; the schema's defaults and choices are the real ones."""
    schema = json_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert set(schema["properties"]) == set(TOP.split(", "))
    assert set(schema["$defs"]["VM"]["properties"]) == set(VM.split(", "))
    assert schema["additionalProperties"] is False
    balloon = schema["$defs"]["Balloon"]["properties"]
    assert balloon["max"]["default"] == 0.65
    assert "static" in balloon["controller"]["enum"]
    assert schema["$defs"]["Sharing"]["properties"]["mode"]["enum"] == [
        "none",
        "ideal",
        "esx",
        "esx-sequential",
        "ksm",
    ]
    patterns = [schema["$defs"][part]["properties"]["policy"]["pattern"] for part in ("VM", "Host")]
    assert [("lru" in pattern, "opt" in pattern) for pattern in patterns] == [(True, True), (True, False)]


def test_reading_a_scenario_loads_neither_numba_nor_pandas_nor_pyarrow():
    """The command line's help and its first complaint come before the heavy libraries."""
    code = (
        "import sys; from tracereplay.scenario import Scenario; Scenario.from_traces('a', {'host.policy': 'lru'});"
        "import tracereplay.machine; print({'numba', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_scenario_errors_are_caught_as_intended_errors():
    """The command line catches one base class."""
    assert issubclass(ScenarioError, TraceReplayError)
