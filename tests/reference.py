"""A naive second implementation of the simulation model, for the tests to compare the engine against.

It is written from the text of the model alone and shares no code with the engine. Dicts, lists and linear
searches: it is meant to be read next to the model and found obviously right, at the price of being slow.

``simulate(config, rows)`` runs a whole trace. ``Model(config)`` with ``step(row)`` runs one row at a
time, and ``check_laws(model)`` asserts the laws that hold after every row. All numbers in ``config`` are
already resolved:

    {"seed": int, "tick": int (trace units, 0 = no ticks),
     "host": {"frames": int, "policy": "lru|fifo|clock|random", "skip_fill_reads": bool,
              "free_page_reporting": bool},
     "balloon": {"rate": int (pages per tick and VM)},
     "sharing": {"mode": "none|ideal|esx|esx-sequential|ksm", "rate": int, "zero_only": bool,
                 "share_before_swap": bool, "use_zero_pages": bool},
     "vms": [{"pages": int, "policy": str, "balloon": [[elapsed time, size in pages], ...],
              "domain": hashable}]}

Rows are ``(time, vm, page, op, content or None)`` in time order. Missing keys take the neutral value
(off, "lru", "none"; one domain for all VMs). "Key" below means a pair ``(vm, ppn)``; pairs compare in
the order of the scan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

READ, WRITE, FREE, FETCH = range(4)
UNKNOWN = None  # a content that equals nothing else
Key = tuple[int, int]
Row = tuple[int, int, int, int, "int | None"]

COUNTERS = [
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
    "host_minor_faults",
    "host_major_faults",
    "host_swap_reads",
    "host_swap_writes",
    "demand_faults",
    "double_faults",
    "stale_reads",
    "false_reads",
    "avoided_fill_reads",
    "silent_swap_writes",
    "cow_breaks",
    "pages_merged",
]
GAUGES = ["frames_in_use", "ballooned", "shared", "shared_frames", "zero_mapped", "reclaimed"]
CAUSES = {
    "demand": "demand_faults",
    "guest_swap_out": "double_faults",
    "guest_swap_in": "stale_reads",
    "zero_fill": "false_reads",
}
ESX_MODES = ("ideal", "esx", "esx-sequential")


# ---- Randomness ----------------------------------------------------------------------------------


class SplitMix64:
    """Steele, Lea and Flood's generator; ``stream`` k of a run starts at seed + k * 0xD1B54A32D192ED03."""

    MASK = 2**64 - 1

    def __init__(self, seed: int, stream: int = 0) -> None:
        self.state = (seed + stream * 0xD1B54A32D192ED03) & self.MASK

    def next(self) -> int:
        """Return the next 64-bit output."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return z ^ (z >> 31)

    def below(self, n: int) -> int:
        """Return a number in 0 .. n-1; draws even when n is 1."""
        return ((self.next() >> 32) * n) >> 32


# ---- Replacement policies ------------------------------------------------------------------------


class LRU:
    """Exact recency: ``order`` runs from the least to the most recently inserted or hit."""

    def __init__(self, rng: SplitMix64) -> None:
        self.order: list[int] = []

    def insert(self, item: int) -> None:
        self.order.append(item)

    def hit(self, item: int) -> None:
        self.order.remove(item)
        self.order.append(item)

    def remove(self, item: int) -> None:
        self.order.remove(item)

    def victim(self) -> int:
        return self.order.pop(0)

    def items(self) -> list[int]:
        return list(self.order)


class FIFO(LRU):
    """Insertion order: a hit changes nothing."""

    def hit(self, item: int) -> None:
        assert item in self.order


class Clock(FIFO):
    """Second chance: a queue with reference bits, clear on insert, set on hit."""

    def __init__(self, rng: SplitMix64) -> None:
        super().__init__(rng)
        self.referenced: set[int] = set()

    def hit(self, item: int) -> None:
        assert item in self.order
        self.referenced.add(item)

    def remove(self, item: int) -> None:
        self.order.remove(item)
        self.referenced.discard(item)

    def victim(self) -> int:
        while self.order[0] in self.referenced:
            head = self.order.pop(0)
            self.referenced.remove(head)
            self.order.append(head)
        return self.order.pop(0)


class Random:
    """A dense array: insert appends, removal moves the last element into the hole, the victim is drawn."""

    def __init__(self, rng: SplitMix64) -> None:
        self.rng = rng
        self.array: list[int] = []

    def insert(self, item: int) -> None:
        self.array.append(item)

    def hit(self, item: int) -> None:
        assert item in self.array

    def remove(self, item: int) -> None:
        hole = self.array.index(item)
        last = self.array.pop()
        if hole < len(self.array):
            self.array[hole] = last

    def victim(self) -> int:
        item = self.array[self.rng.below(len(self.array))]
        self.remove(item)
        return item

    def items(self) -> list[int]:
        return list(self.array)


POLICIES: dict[str, Callable[[SplitMix64], Any]] = {
    "lru": LRU,
    "fifo": FIFO,
    "clock": Clock,
    "random": Random,
}


# ---- The host ------------------------------------------------------------------------------------


@dataclass
class PhysicalPage:
    """What the hypervisor knows of one PPN.

    ``backing`` is unbacked, private, cow, zero (mapped to the kernel's zero page) or swapped; ``frame``
    the MPN of a private or cow page. ``remembered`` is the content that KSM saw last, ``last_visit`` how
    KSM's last visit ended ("unshared", "volatile" or None): it stands until the next visit or a merge,
    and counts while the page is private. The content of an unbacked PPN is of no interest: the next
    touch is a fill.
    """

    backing: str = "unbacked"
    frame: int | None = None
    content: int | None = UNKNOWN
    remembered: int | None = None
    last_visit: str | None = None


@dataclass
class Frame:
    """A machine page in use: who maps it, whether it is newer than any swap copy, whether it is shared.

    ``shared`` means write-protected and in the table of shared frames; under KSM that includes a frame
    which has one mapper left.
    """

    mappers: list[Key]
    dirty: bool
    shared: bool = False


class Host:
    """The hypervisor's memory: backing of every PPN, frames, host swap (which only counts)."""

    def __init__(self, config: dict[str, Any], vm_sizes: list[int], counters: list[dict[str, int]]) -> None:
        host = config["host"]
        self.size: int = host["frames"]
        self.skip_fill_reads: bool = host.get("skip_fill_reads", False)
        self.policy = POLICIES[host.get("policy", "lru")](SplitMix64(config.get("seed", 0), 0))
        self.counters = counters
        self.pages = {(vm, ppn): PhysicalPage() for vm, size in enumerate(vm_sizes) for ppn in range(size)}
        self.frames: dict[int, Frame] = {}
        self.guests: list[Guest] = []
        domains = [vm.get("domain", "all") for vm in config["vms"]]
        self.sharing = Sharing(self, config.get("sharing", {}), domains, SplitMix64(config.get("seed", 0), 1))

    def touch(self, key: Key, kind: str, cause: str) -> None:
        """The guest uses a PPN: ``kind`` is read, write or fill (a write of the whole page)."""
        count = self.counters[key[0]]
        page = self.pages[key]
        if page.backing in ("private", "cow"):
            if page.backing == "cow" and kind != "read":
                self.break_cow(key)
            assert page.frame is not None
            self.policy.hit(page.frame)
            if kind != "read":
                self.frames[page.frame].dirty = True
        elif page.backing == "zero":
            if kind != "read":
                count["cow_breaks"] += 1
                page.backing = "unbacked"
                self.give_new_frame(key, dirty=True)
                self.policy.hit(page.frame)
        elif page.backing == "swapped":
            if kind == "fill" and self.skip_fill_reads:
                count["avoided_fill_reads"] += 1
            else:
                count["host_major_faults"] += 1
                count[CAUSES[cause]] += 1
                count["host_swap_reads"] += 1
            self.give_new_frame(key, dirty=kind != "read")
        else:
            assert kind == "fill", "an unbacked PPN is only ever filled"
            count["host_minor_faults"] += 1
            self.give_new_frame(key, dirty=True)

    def give_new_frame(self, key: Key, dirty: bool) -> None:
        """Back an unbacked or swapped PPN with a private frame of its own."""
        mpn = self.take_frame()
        self.frames[mpn] = Frame([key], dirty)
        self.pages[key].backing = "private"
        self.pages[key].frame = mpn
        self.policy.insert(mpn)

    def take_frame(self) -> int:
        """Return an unused MPN, reclaiming one when all are in use."""
        if len(self.frames) >= self.size:
            victim = self.policy.victim()
            if not self.sharing.share_instead_of_swapping(victim):
                self.page_out(victim)
        return next(mpn for mpn in range(self.size) if mpn not in self.frames)

    def page_out(self, mpn: int) -> None:
        """Write a frame (already out of the policy) to host swap: once, and only if it is dirty."""
        frame = self.frames[mpn]
        vm, ppn = min(frame.mappers)
        if frame.dirty:
            self.counters[vm]["host_swap_writes"] += 1
            if len(frame.mappers) == 1 and self.guests[vm].is_clean_with_copy(ppn):
                self.counters[vm]["silent_swap_writes"] += 1
        for key in frame.mappers:
            self.pages[key].backing = "swapped"
            self.pages[key].frame = None
        self.sharing.forget_frame(mpn)
        del self.frames[mpn]

    def break_cow(self, key: Key) -> None:
        """A write or fill meets a shared frame: the PPN gets its own, the other mappers keep theirs.

        KSM, one mapper left: that frame is already its own. It leaves the table and turns private in
        place; it keeps its place in the host policy (the caller's ``hit`` follows) and no frame is
        taken.
        """
        self.counters[key[0]]["cow_breaks"] += 1
        mpn = self.pages[key].frame
        assert mpn is not None
        if len(self.frames[mpn].mappers) == 1:
            self.turn_private(mpn)
        else:
            self.unmap(key)
            self.give_new_frame(key, dirty=True)

    def unmap(self, key: Key) -> None:
        """Take a private or cow PPN off its frame, which is freed when nobody else maps it."""
        page = self.pages[key]
        mpn = page.frame
        assert mpn is not None
        frame = self.frames[mpn]
        frame.mappers.remove(key)
        page.backing, page.frame = "unbacked", None
        if not frame.mappers:
            self.free_frame(mpn)
        elif frame.shared and len(frame.mappers) == 1 and self.sharing.mode in ESX_MODES:
            self.turn_private(mpn)

    def free_frame(self, mpn: int) -> None:
        """Return a frame that nobody maps."""
        self.sharing.forget_frame(mpn)
        if mpn in self.policy.items():  # a victim that was shared instead of swapped is out of it already
            self.policy.remove(mpn)
        del self.frames[mpn]

    def turn_private(self, mpn: int) -> None:
        """A shared frame with one mapper leaves the table; it stays where it is in every other respect."""
        self.sharing.forget_frame(mpn)
        frame = self.frames[mpn]
        (only,) = frame.mappers
        frame.shared = False
        self.pages[only].backing = "private"

    def release(self, key: Key) -> None:
        """Drop the backing of a PPN, whatever it is, without I/O (balloon, free-page report)."""
        page = self.pages[key]
        if page.backing in ("private", "cow"):
            self.unmap(key)
        page.backing = "unbacked"
        page.content = UNKNOWN


# ---- Content-based sharing -----------------------------------------------------------------------


class Sharing:
    """The table of shared frames and the scans that fill it.

    With ``zero_only`` every content but zero counts as unknown, in the scans and in share-before-swap.
    Hints, unstable entries and the table are looked up by (domain, content). ``log`` counts, for the
    tests, the hints left, the hints replaced, the merges with a hint and the merges into a shared frame
    of the ESX scans.
    """

    def __init__(self, host: Host, config: dict[str, Any], domains: list[Any], rng: SplitMix64) -> None:
        self.host = host
        self.mode: str = config.get("mode", "none")
        self.rate: int = config.get("rate", 0)
        self.zero_only: bool = config.get("zero_only", False)
        self.share_before_swap: bool = config.get("share_before_swap", False)
        self.use_zero_pages: bool = config.get("use_zero_pages", False)
        self.domains = domains
        self.rng = rng
        self.order = sorted(host.pages)  # VM 0 PPN 0, VM 0 PPN 1, ...
        self.cursor = 0
        self.table: dict[tuple[Any, int], int] = {}
        self.hints: dict[tuple[Any, int], Key] = {}
        self.unstable: dict[tuple[Any, int], Key] = {}
        self.log: Counter[str] = Counter()

    def tick(self) -> None:
        """One tick's scan: ``rate`` candidates, skipped ones included; ``ideal``: every PPN once."""
        if self.mode == "ideal":
            self.hints.clear()
            for key in self.order:
                self.visit_esx(key)
            self.hints.clear()
        elif self.mode == "esx":
            for _ in range(self.rate):
                self.visit_esx(self.order[self.rng.below(len(self.order))])
        elif self.mode == "esx-sequential":
            for _ in range(self.rate):
                self.visit_esx(self.next_in_order())
        elif self.mode == "ksm":
            for _ in range(self.rate):
                if self.cursor == 0:
                    self.unstable.clear()
                self.visit_ksm(self.next_in_order())

    def next_in_order(self) -> Key:
        key = self.order[self.cursor]
        self.cursor = (self.cursor + 1) % len(self.order)
        return key

    def visit_esx(self, key: Key) -> None:
        """One candidate of the ESX scans: shared table, then hint, then leave a hint."""
        if not self.is_candidate(key):
            return
        name = self.name(key)
        hint = self.hints.get(name)
        if name in self.table:
            self.log["table_merges"] += 1
            self.merge(key, self.table[name])
        elif hint is not None and hint != key and self.is_private_with(hint, name):
            self.log["hint_merges"] += 1
            del self.hints[name]
            self.merge_private(key, hint)
        else:
            self.log["hints_left" if hint is None else "hints_replaced"] += 1
            self.hints[name] = key

    def visit_ksm(self, key: Key) -> None:
        """One candidate of KSM's scan.

        A visit that skips a private page (unknown content) ends as neither unshared nor volatile. A
        merge leaves what is remembered for the PPN alone.
        """
        page = self.host.pages[key]
        page.last_visit = None
        if not self.is_candidate(key):
            return
        name = self.name(key)
        if name in self.table:
            self.merge(key, self.table[name])
        elif page.remembered != page.content:
            page.remembered = page.content
            page.last_visit = "volatile"
        elif self.use_zero_pages and page.content == 0:
            self.map_zero_page(key)
        else:
            older = self.unstable.get(name)
            if older is not None and older != key and self.is_private_with(older, name):
                del self.unstable[name]
                self.merge_private(key, older)
            else:
                self.unstable[name] = key
                page.last_visit = "unshared"

    def share_instead_of_swapping(self, mpn: int) -> bool:
        """Share-before-swap: try to give the victim's bytes another frame; True when its frame came free.

        ``pages_merged`` goes to the VM whose page gave up its frame. A valid hint is used up by the
        merge; one that is stale, or the victim's own, stays.
        """
        frame = self.host.frames[mpn]
        if not self.share_before_swap or frame.shared:
            return False
        (key,) = frame.mappers
        if not self.is_candidate(key):
            return False
        name = self.name(key)
        hint = self.hints.get(name)
        if name in self.table:
            self.merge(key, self.table[name])
            return True
        if self.mode in ESX_MODES and hint is not None and hint != key and self.is_private_with(hint, name):
            del self.hints[name]
            self.merge_private(key, hint)
            return True
        return False

    def is_candidate(self, key: Key) -> bool:
        """Backed by a private frame and of known content."""
        page = self.host.pages[key]
        if page.backing != "private" or page.content is UNKNOWN:
            return False
        return page.content == 0 or not self.zero_only

    def name(self, key: Key) -> tuple[Any, int]:
        """What the tables are searched by."""
        content = self.host.pages[key].content
        assert content is not UNKNOWN
        return (self.domains[key[0]], content)

    def is_private_with(self, key: Key, name: tuple[Any, int]) -> bool:
        """Whether a hint or an unstable entry is still valid."""
        return self.is_candidate(key) and self.name(key) == name

    def merge_private(self, younger: Key, older: Key) -> None:
        """Two private pages merge: the older one's frame becomes shared, the younger one's is freed."""
        page = self.host.pages[older]
        assert page.frame is not None
        self.host.frames[page.frame].shared = True
        self.table[self.name(older)] = page.frame
        page.backing, page.last_visit = "cow", None
        self.merge(younger, page.frame)

    def merge(self, key: Key, mpn: int) -> None:
        """Map a PPN to a shared frame; that frame keeps its dirty flag and its place in the host policy."""
        self.host.unmap(key)
        self.host.frames[mpn].mappers.append(key)
        self.host.pages[key].backing = "cow"
        self.host.pages[key].frame = mpn
        self.host.pages[key].last_visit = None
        self.host.counters[key[0]]["pages_merged"] += 1

    def map_zero_page(self, key: Key) -> None:
        """Map a PPN to the kernel's zero page: no frame of the host, and in every domain."""
        self.host.unmap(key)
        self.host.pages[key].backing = "zero"
        self.host.counters[key[0]]["pages_merged"] += 1

    def forget_frame(self, mpn: int) -> None:
        """A frame leaves the table of shared frames, if it is in it."""
        for name in [name for name, frame in self.table.items() if frame == mpn]:
            del self.table[name]


# ---- The guests ----------------------------------------------------------------------------------


@dataclass
class MappedPage:
    """A guest virtual page in guest memory. ``has_copy``: its bytes are in guest swap or in a file."""

    ppn: int
    dirty: bool = False
    has_copy: bool = False


class Guest:
    """One VM's operating system: page table, free stack, guest swap, balloon.

    ``free`` and ``ballooned`` are stacks with the top at the end. ``swapped`` holds the saved content of
    the pages in guest swap; a page in neither dict was never touched.
    """

    def __init__(self, number: int, config: dict[str, Any], host: Host, seed: int) -> None:
        self.number = number
        self.host = host
        self.count = host.counters[number]
        self.size: int = config["pages"]
        self.policy = POLICIES[config.get("policy", "lru")](SplitMix64(seed, 16 + number))
        self.schedule: list[Any] = list(config.get("balloon", []))
        self.mapped: dict[int, MappedPage] = {}
        self.swapped: dict[int, int | None] = {}
        self.free = list(reversed(range(self.size)))
        self.ballooned: list[int] = []

    def physical(self, ppn: int) -> PhysicalPage:
        return self.host.pages[self.number, ppn]

    def touch(self, ppn: int, kind: str, cause: str) -> None:
        self.host.touch((self.number, ppn), kind, cause)

    def page_at(self, ppn: int) -> int | None:
        """The page mapped to a PPN."""
        return next((page for page, entry in self.mapped.items() if entry.ppn == ppn), None)

    def is_clean_with_copy(self, ppn: int) -> bool:
        """Whether the guest's own disk has the bytes of the page mapped to a PPN; a free PPN has no page."""
        page = self.page_at(ppn)
        return page is not None and not self.mapped[page].dirty and self.mapped[page].has_copy

    def access(self, page: int, op: int, content: int | None) -> None:
        """A READ (op 0 or 3) or WRITE of a page."""
        is_read = op in (READ, FETCH)
        self.count["reads" if is_read else "writes"] += 1
        if page in self.mapped:
            self.policy.hit(self.mapped[page].ppn)
        else:
            self.fault(page, is_read, content)
        entry = self.mapped[page]
        physical = self.physical(entry.ppn)
        if (
            is_read
            and content is not None
            and physical.content is not UNKNOWN
            and content != physical.content
        ):
            self.count["untraced_writes"] += 1
            is_read = False
        self.touch(entry.ppn, "read" if is_read else "write", "demand")
        if not is_read:
            entry.dirty, entry.has_copy = True, False
            physical.content = content
        elif physical.content is UNKNOWN:
            physical.content = content

    def fault(self, page: int, is_read: bool, content: int | None) -> None:
        """Bring a page in: from guest swap, from a file, or as a new zero page."""
        if self.free:
            ppn = self.free.pop()
        else:
            ppn = self.policy.victim()
            self.evict(ppn)
        if page in self.swapped:
            self.count["guest_major_faults"] += 1
            self.count["guest_swap_reads"] += 1
            self.touch(ppn, "fill", "guest_swap_in")
            self.physical(ppn).content = self.swapped.pop(page)
            self.mapped[page] = MappedPage(ppn, has_copy=True)
        elif is_read and content is not None and content != 0:
            self.count["guest_minor_faults"] += 1
            self.count["guest_file_fills"] += 1
            self.touch(ppn, "fill", "guest_swap_in")
            self.physical(ppn).content = content
            self.mapped[page] = MappedPage(ppn, has_copy=True)
        else:
            self.count["guest_minor_faults"] += 1
            self.touch(ppn, "fill", "zero_fill")
            self.physical(ppn).content = 0
            self.mapped[page] = MappedPage(ppn)
        self.policy.insert(ppn)

    def evict(self, ppn: int) -> None:
        """Unmap the page of a PPN (already out of the policy); backing and stale bytes stay."""
        page = self.page_at(ppn)
        assert page is not None
        entry = self.mapped.pop(page)
        if entry.dirty or entry.has_copy:
            self.swapped[page] = self.physical(ppn).content
        if entry.dirty:
            self.count["guest_swap_writes"] += 1
            self.touch(ppn, "read", "guest_swap_out")

    def free_page(self, page: int, report: bool) -> None:
        """FREE: the page counts as never touched from here on; with ``report`` its backing goes too."""
        self.count["frees"] += 1
        if page in self.mapped:
            ppn = self.mapped.pop(page).ppn
            self.policy.remove(ppn)
            self.free.append(ppn)
            if report:
                self.host.release((self.number, ppn))
        else:
            self.swapped.pop(page, None)

    def balloon_target(self, elapsed: int) -> int:
        """The entry in force: the latest time not after ``elapsed``, last listed among equals."""
        best = None
        for time, size in self.schedule:
            if time <= elapsed and (best is None or time >= best[0]):
                best = (time, size)
        return 0 if best is None else best[1]

    def move_balloon(self, target: int, at_most: int | None = None) -> None:
        """Inflate or deflate towards ``target`` by ``at_most`` pages (None: all the way)."""
        steps = abs(target - len(self.ballooned))
        for _ in range(steps if at_most is None else min(steps, at_most)):
            if len(self.ballooned) < target:
                if not self.inflate():
                    return
            else:
                self.free.append(self.ballooned.pop())

    def inflate(self) -> bool:
        """Pin one PPN and release its backing; False when the guest has neither a free nor a mapped one."""
        if self.free:
            ppn = self.free.pop()
        elif self.mapped:
            ppn = self.policy.victim()
            self.evict(ppn)
        else:
            return False
        self.ballooned.append(ppn)
        self.host.release((self.number, ppn))
        return True


# ---- The whole -----------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What a run comes to; see the functions of `Model` that fill it."""

    counters: list[dict[str, int]]
    gauges: list[dict[str, int]]
    ksm: dict[str, int]
    split: dict[str, int]
    state: dict[str, Any]
    ticks: int = 0
    log: dict[str, int] = field(default_factory=dict)

    def total(self, name: str) -> int:
        """A counter or gauge summed over the VMs."""
        return sum(vm[name] for vm in (self.counters if name in COUNTERS else self.gauges))


class Model:
    """All VMs on one host, fed row by row.

    A balloon size in force at elapsed time 0 is inflated at once, whatever the rate and even without
    ticks; after that each tick moves every balloon by at most ``rate`` pages (per VM). Within a tick:
    the balloons of all VMs in order, then the sharing scan.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.counters: list[dict[str, int]] = [dict.fromkeys(COUNTERS, 0) for _ in config["vms"]]
        self.host = Host(config, [vm["pages"] for vm in config["vms"]], self.counters)
        self.guests = [Guest(i, vm, self.host, config.get("seed", 0)) for i, vm in enumerate(config["vms"])]
        self.host.guests = self.guests
        self.interval: int = config.get("tick", 0)
        self.first_time: int | None = None
        self.ticks = 0
        for guest in self.guests:
            guest.move_balloon(guest.balloon_target(0))

    def step(self, row: Row) -> None:
        """Run every tick due at or before the row's time, then the row."""
        time, vm, page, op, content = row
        if self.first_time is None:
            self.first_time = time
        while self.interval and self.first_time + (self.ticks + 1) * self.interval <= time:
            self.tick()
        self.counters[vm]["accesses"] += 1
        if op == FREE:
            self.guests[vm].free_page(page, self.config["host"].get("free_page_reporting", False))
        else:
            self.guests[vm].access(page, op, content)

    def tick(self) -> None:
        self.ticks += 1
        for guest in self.guests:
            target = guest.balloon_target(self.ticks * self.interval)
            guest.move_balloon(target, self.config.get("balloon", {}).get("rate", 4096))
        self.host.sharing.tick()

    def gauges(self) -> list[dict[str, int]]:
        """Per VM; a shared frame belongs to the VM of its lowest (vm, ppn) mapper."""
        result = []
        for guest in self.guests:
            vm = guest.number
            owned = [frame for frame in self.host.frames.values() if min(frame.mappers)[0] == vm]
            backings = [self.host.pages[vm, ppn].backing for ppn in range(guest.size)]
            shared_frames = sum(frame.shared for frame in owned)
            result.append(
                {
                    "frames_in_use": len(owned),
                    "ballooned": len(guest.ballooned),
                    "shared": backings.count("cow"),
                    "shared_frames": shared_frames,
                    "zero_mapped": backings.count("zero"),
                    "reclaimed": backings.count("cow") - shared_frames + backings.count("zero"),
                }
            )
        return result

    def ksm(self) -> dict[str, int]:
        """``pages_unshared`` and ``pages_volatile``: by how the last visit ended, private pages only."""
        visits = [page.last_visit for page in self.host.pages.values() if page.backing == "private"]
        return {"pages_unshared": visits.count("unshared"), "pages_volatile": visits.count("volatile")}

    def split(self) -> dict[str, int]:
        """Reclaimed pages by kind.

        A shared frame with n mappers in v VMs saves n - v pages within VMs (self) and v - 1 between them
        (inter). ``zero`` is counted apart from ``self`` and ``inter``; ``zero_self`` + ``zero_inter`` =
        ``zero``. A page mapped to the kernel's zero page needs no other VM: it is counted in
        ``zero_self``.
        """
        result = dict.fromkeys(["zero", "self", "inter", "zero_self", "zero_inter"], 0)
        for frame in self.host.frames.values():
            if frame.shared:
                vms = {vm for vm, _ in frame.mappers}
                prefix = "zero_" if self.host.pages[frame.mappers[0]].content == 0 else ""
                result[prefix + "self"] += len(frame.mappers) - len(vms)
                result[prefix + "inter"] += len(vms) - 1
        result["zero_self"] += sum(page.backing == "zero" for page in self.host.pages.values())
        result["zero"] = result["zero_self"] + result["zero_inter"]
        return result

    def state(self) -> dict[str, Any]:
        """A dump to compare: per VM the pages, free stack and balloon (top first), and every PPN.

        ``mapped``: page -> (ppn, dirty, has_copy); ``swapped``: page -> saved content; ``ppns``: list of
        (backing, frame dirty, lowest mapper of the frame, content), with None where there is no frame or
        where the PPN is unbacked. MPNs are left out: any numbering will do.
        """
        vms = []
        for guest in self.guests:
            ppns: list[tuple[Any, ...]] = []
            for ppn in range(guest.size):
                page = self.host.pages[guest.number, ppn]
                frame = None if page.frame is None else self.host.frames[page.frame]
                dirty = None if frame is None else frame.dirty
                lowest = None if frame is None else min(frame.mappers)
                ppns.append((page.backing, dirty, lowest, page.content))
            vms.append(
                {
                    "mapped": {
                        page: (e.ppn, e.dirty, e.has_copy) for page, e in sorted(guest.mapped.items())
                    },
                    "swapped": dict(sorted(guest.swapped.items())),
                    "free": guest.free[::-1],
                    "ballooned": guest.ballooned[::-1],
                    "ppns": ppns,
                }
            )
        return {"vms": vms}

    def outcome(self) -> Outcome:
        """Everything there is to compare, as it stands now."""
        counters = [dict(vm) for vm in self.counters]
        log = dict(self.host.sharing.log)
        return Outcome(counters, self.gauges(), self.ksm(), self.split(), self.state(), self.ticks, log)


def simulate(config: dict[str, Any], rows: Iterable[Row], check: bool = False) -> Outcome:
    """Run a trace; with ``check`` the laws are asserted after every row."""
    model = Model(config)
    for row in rows:
        model.step(row)
        if check:
            check_laws(model)
    return model.outcome()


# ---- Laws ----------------------------------------------------------------------------------------


def check_laws(model: Model) -> None:
    """Assert laws 1, 2 and 6, and that the model's own structures agree with each other."""
    check_guests(model)
    check_frames(model)
    check_counts(model)
    check_sharing_bound(model)


def check_guests(model: Model) -> None:
    """Law 1: free, mapped and ballooned PPNs partition each VM; backing fits each of them."""
    for guest in model.guests:
        mapped = [entry.ppn for entry in guest.mapped.values()]
        assert sorted(guest.free + mapped + guest.ballooned) == list(range(guest.size)), "law 1: PPNs"
        assert sorted(guest.policy.items()) == sorted(mapped), "the guest policy holds the mapped PPNs"
        assert not set(guest.mapped) & set(guest.swapped)
        assert all(not entry.has_copy or not entry.dirty for entry in guest.mapped.values())
        for ppn in range(guest.size):
            page = guest.physical(ppn)
            assert page.backing in ("unbacked", "private", "cow", "zero", "swapped"), "law 1: one state each"
            assert (page.frame is not None) == (page.backing in ("private", "cow"))
            assert ppn not in mapped or page.backing != "unbacked", "a mapped PPN has been touched"
            assert ppn not in guest.ballooned or page.backing == "unbacked", "a ballooned PPN is unbacked"
            assert page.backing != "zero" or page.content == 0


def check_frames(model: Model) -> None:
    """Law 2: frames in use are the private and the shared ones, at most M; references are COW PPNs."""
    host = model.host
    private = [key for key, page in host.pages.items() if page.backing == "private"]
    cow = [key for key, page in host.pages.items() if page.backing == "cow"]
    shared = {mpn: frame for mpn, frame in host.frames.items() if frame.shared}
    assert len(host.frames) == len(private) + len(shared) <= host.size, "law 2: frames"
    assert sum(len(frame.mappers) for frame in shared.values()) == len(cow), "law 2: references"
    assert sorted(host.policy.items()) == sorted(host.frames), "the host policy holds the frames in use"
    assert sorted(host.sharing.table.values()) == sorted(shared), "the table holds the shared frames"
    for mpn, frame in host.frames.items():
        assert len(frame.mappers) == len(set(frame.mappers)) >= 1
        assert all(host.pages[key].frame == mpn for key in frame.mappers)
        assert all(host.pages[key].backing == ("cow" if frame.shared else "private") for key in frame.mappers)
        assert frame.shared or len(frame.mappers) == 1
        assert not frame.shared or len(frame.mappers) >= (1 if host.sharing.mode == "ksm" else 2)
    for name, mpn in host.sharing.table.items():
        assert all(host.sharing.name(key) == name for key in host.frames[mpn].mappers), (
            "equal bytes, one domain"
        )


def check_counts(model: Model) -> None:
    """The sums among the counters that the model's text implies."""
    for count in model.counters:
        causes = [count[name] for name in CAUSES.values()]
        assert count["accesses"] == count["reads"] + count["writes"] + count["frees"]
        assert sum(causes) == count["host_major_faults"] == count["host_swap_reads"]
        assert count["guest_major_faults"] == count["guest_swap_reads"]
        assert count["guest_file_fills"] <= count["guest_minor_faults"]
        assert count["silent_swap_writes"] <= count["host_swap_writes"]
        assert count["untraced_writes"] <= count["reads"]


def check_sharing_bound(model: Model) -> None:
    """Law 6: reclaimed <= sum over contents of (backed copies - 1), plus 1 if any PPN is zero-mapped."""
    backed = [page for page in model.host.pages.values() if page.backing in ("private", "cow", "zero")]
    copies = Counter(page.content for page in backed if page.content is not UNKNOWN)
    zero_mapped = any(page.backing == "zero" for page in backed)
    bound = sum(n - 1 for n in copies.values()) + zero_mapped
    reclaimed = sum(vm["reclaimed"] for vm in model.gauges())
    split = model.split()
    assert reclaimed <= bound, "law 6"
    assert reclaimed == split["zero"] + split["self"] + split["inter"]
