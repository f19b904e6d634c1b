"""Small machines and traces, as the reference model takes them, for the tests to run on."""

from __future__ import annotations

from reference import POLICIES

READ, WRITE, FREE, FETCH = range(4)
GUEST_COUNTERS = (
    "accesses",
    "reads",
    "writes",
    "frees",
    "guest_minor_faults",
    "guest_major_faults",
    "guest_swap_reads",
    "guest_swap_writes",
    "guest_file_fills",
    "untraced_writes",
)


def machine(
    vms, frames=10_000, host="lru", tick=0, seed=1, balloon_rate=4096, skip=False, report=False, **sharing
):
    """Build a config; ``vms`` is a list of VM dicts or of sizes in pages."""
    vms = [{"pages": vm} if isinstance(vm, int) else vm for vm in vms]
    return {
        "seed": seed,
        "tick": tick,
        "host": {"frames": frames, "policy": host, "skip_fill_reads": skip, "free_page_reporting": report},
        "balloon": {"rate": balloon_rate},
        "sharing": sharing,
        "vms": [{"policy": "lru", "balloon": [], "domain": "all"} | vm for vm in vms],
    }


def random_rows(rng, n, vms, pages=9, contents=5):
    """A tiny trace with all four ops, unknown contents, and times that stand still or jump."""
    time, rows = rng.randrange(50), []
    for _ in range(n):
        time += rng.choice([0, 0, 1, 1, 2, 7])
        op = rng.choices([READ, WRITE, FREE, FETCH], [5, 5, 1, 1])[0]
        content = rng.choice([None, *range(contents), *range(contents), 0])
        rows.append((time, rng.randrange(vms), rng.randrange(pages), op, content))
    return rows


def random_machine(rng, vms=None, **fixed):
    """A tiny machine that is short of memory, with everything that can be switched switched at random."""
    vms = vms or rng.randint(1, 3)
    sizes = [rng.randint(3, 9) for _ in range(vms)]
    policies = list(POLICIES)
    config = machine(
        [
            {
                "pages": size,
                "policy": rng.choice(policies),
                "balloon": [[rng.randrange(60), rng.randint(0, size - 2)] for _ in range(rng.randint(0, 4))],
                "domain": rng.choice(["all", "all", vm]),
            }
            for vm, size in enumerate(sizes)
        ],
        frames=rng.randint(1, sum(sizes) + 1),
        host=rng.choice(policies),
        tick=rng.randint(1, 9),
        seed=rng.randrange(2**64),
        balloon_rate=rng.randint(1, 4),
        skip=rng.random() < 0.5,
        report=rng.random() < 0.5,
    )
    config["sharing"] = {
        "mode": rng.choice(["none", "ideal", "esx", "esx-sequential", "ksm", "ksm"]),
        "rate": rng.choice([1, 3, 7, 30]),
        "zero_only": rng.random() < 0.2,
        "share_before_swap": rng.random() < 0.5,
        "use_zero_pages": rng.random() < 0.5,
    }
    return config | fixed


def smaller_or_ballooned(rng, vms):
    """The same VMs twice: with b pages fewer each, and with a balloon of b pages from time 0 (law 5)."""
    small, ballooned = [], []
    for vm in vms:
        b = rng.randint(0, vm["pages"] - 1)
        small.append(vm | {"pages": vm["pages"] - b, "balloon": []})
        ballooned.append(vm | {"balloon": [[0, b]]})
    return small, ballooned
