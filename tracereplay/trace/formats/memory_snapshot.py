"""Memory snapshots of a VM (raw image, ELF core, virsh dump, QEMU dump, kdump, LiME): the pages that changed.

Several files, in order, are snapshots of one VM over time; several VMs are imported one by one and merged.
The members of a zip archive are parts of one file, not snapshots.
A raw image is what QEMU's ``pmemsave`` and its file-backed guest memory are: page numbers are places in the
file.  The core of a process (``gcore``) is read as well, and is guest-virtual.

A page of zeros is one of the VM's pages like any other (``zeros=true``), as for a hypervisor whose guests
touch all of their memory.  A page that the guest never touched is zeros in the file, too, but has no frame on
a host that backs memory on demand: with ``zeros=false`` pages exist once they have held something else.  What
was in use lies between the two.  Free pages of the guest keep old contents and count as in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tracereplay.catalog import Duration, Flag
from tracereplay.trace.formats import _images, _kdump
from tracereplay.trace.formats._images import PagesOfFile, Reader
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._snapshots import PAGE, Pages, changes
from tracereplay.trace.formats._source import Source
from tracereplay.trace.hashing import page_contents

SAMPLE = "4096 bytes a page; or ELF core, kdump or LiME, told by their first bytes"

_DUMP = "a dump of memory: virsh dump --memory-only --format elf DOMAIN FILE, or QEMU's dump-guest-memory"
_OTHERS = {
    b"LibvirtQemudSave": "a saved domain (virsh save)",
    b"LibvirtQemudPart": "a domain that virsh save did not finish",
    b"QEVM": "a QEMU migration stream",
    b"QFI\xfb": "a qcow2 disk image",
    b"PAGEDU64": "a Windows crash dump",
    b"PAGEDUMP": "a Windows crash dump",
}
_LAYOUTS: tuple[tuple[Callable[[bytes], bool], Callable[[Reader, Findings], PagesOfFile]], ...] = (
    (_images.is_elf_core, _images.elf),
    (_images.is_lime, _images.lime),
    (_kdump.is_kdump, _kdump.kdump),
)


def looks_like(head: bytes) -> bool:
    """Whether it is a dump, or what is mistaken for one; a raw image cannot be told."""
    return head.startswith(tuple(_OTHERS)) or any(is_it(head) for is_it, _ in _LAYOUTS)


def read(
    sources: Sequence[Source], findings: Findings, *, interval: Duration = 10**9, zeros: Flag = True
) -> Iterator[Records]:
    """Writes of the pages that changed since the snapshot before, ``interval`` apart; FREE for those gone."""
    findings.page_space = "guest-physical"
    yield from changes([_pages(s, findings) for s in sources], findings, interval=interval, zeros=zeros)


def _pages(source: Source, findings: Findings) -> Iterator[Pages]:
    """All pages of a file."""
    head = source.head()
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            source.refuse(what, _DUMP)
    layout = next((pages for is_it, pages in _LAYOUTS if is_it(head)), _images.raw)
    with source.open() as stream:
        reader = Reader(source, stream)
        found = 0
        for numbers, block in layout(reader, findings):
            found += len(numbers)
            yield Pages(numbers, page_contents(block))
        # an ELF file ends in a few names, or in sections that are no pages; more may be another dump
        if (rest := reader.rest()) >= PAGE:
            findings.skip("bytes after the last page of a dump", rest)
    if not found:
        source.refuse("no pages", f"at least one of {PAGE} bytes: an empty snapshot would free them all")
