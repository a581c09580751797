"""A text that has to fit: made of pieces that are shown whole or not at all, so that it is cut where a change ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

GITHUB_COMMENT = 65_000
"""What a comment on GitHub may have ("Body is too long (maximum is 65536 characters)"), and a job says beside it."""

GITLAB_NOTE = 1_000_000
"""What a note on GitLab may have ("GitLab application limits", size of comments)."""

JOB_SUMMARY = 1_000_000
"""A little less than the 1 MiB that the summary of a step on GitHub may have ("Workflow commands")."""


def size(text: str) -> int:
    """Return how long a text is at most, however it is counted: its bytes in UTF-8 are no fewer than its characters."""
    return len(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Piece:
    """What is shown whole or not at all, and how many changes or findings it shows."""

    text: str
    shows: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """Pieces in their order, and what stands before and after them where any is shown.

    `rest` stands behind where some are not shown. `room` is the most that the part may take of what is there, from 0
    to 1, so that it leaves something to the next one.
    """

    pieces: tuple[Piece, ...] = ()
    opening: str = ""
    closing: str = ""
    rest: str = ""
    room: float = 1.0

    def total(self) -> int:
        """Return how many changes or findings all the pieces show."""
        return sum(piece.shows for piece in self.pieces)

    def text(self, number: int) -> str:
        """Return the first pieces, with all that belongs around them."""
        shown = "".join(piece.text for piece in self.pieces[:number])
        rest = self.rest if number < len(self.pieces) else ""
        return (f"{self.opening}{shown}{self.closing}" if number else "") + rest

    def fitting(self, room: int) -> int:
        """Return how many of the pieces, from the first on, take no more bytes than their share of the room."""
        left = int(room * self.room) - sum(map(size, (self.opening, self.closing, self.rest)))
        for number, piece in enumerate(self.pieces):
            left -= size(piece.text)
            if left < 0:
                return number
        return len(self.pieces)

    def fits(self, room: int) -> bool:
        """Return whether all of it takes no more bytes than its share of the room."""
        return room >= 0 and self.fitting(room) == len(self.pieces)


NOTHING = Part()


@dataclass(frozen=True, slots=True)
class Shown:
    """The text of parts as far as they fit, how much of them that is, and what is left of the room."""

    text: str
    shows: int
    total: int
    left: int

    def cut(self) -> bool:
        """Return whether anything is left out."""
        return self.shows < self.total


def fitted(parts: Iterable[Part], room: int) -> Shown:
    """Return parts as far as they fit into so many bytes: after the first piece that does not, nothing is shown."""
    texts: list[str] = []
    shows = total = 0
    open_ = True
    for part in parts:
        total += part.total()
        number = part.fitting(room) if open_ else 0
        open_ = open_ and number == len(part.pieces)
        text = part.text(number)
        # Where nothing of it fits, even what says so may be too long.
        text = text if size(text) <= room else ""
        texts.append(text)
        room -= size(text)
        shows += sum(piece.shows for piece in part.pieces[:number])
    return Shown("".join(texts), shows, total, room)
