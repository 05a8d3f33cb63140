"""Faults and bad input among images, 1 to 13, each with the real file."""

import gzip
import io
import os
import socket
import struct
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzfeld.data import open_images
from ganzfeld.data.cache.shard_files import pixels_path
from ganzfeld.data.cache.store import cache_root
from ganzfeld.data.cache.verify import verify
from ganzfeld.data.check.survey import survey
from ganzfeld.data.images import ImageDataset
from ganzfeld.data.ingest import ingest
from ganzfeld.data.ingest.worker import TURN
from ganzfeld.data.ingest.worker_pool import WorkerPool
from ganzfeld.errors import DataError
from ganzfeld.lock import locked
from tests.data.making import encoded, fill, noise, smooth, zipped

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX files")


def opened(path: Path, **settings: Any) -> ImageDataset:
    return open_images(path, (16, 16), **{"workers": 0, "max_bad": None} | settings)


def reasons(dataset: ImageDataset) -> dict[str, str]:
    """Reasons by file name."""
    return {Path(each.path).name: each.reason for each in dataset.unusable}


def taken_kib(path: Path) -> int:
    """How much more memory a process takes to open a bad set than it takes to open a good one, anew."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("only Linux tells the peak of one program")
    code = f"""
        import re, tempfile
        from pathlib import Path
        from ganzfeld.data import open_images
        from tests.data.making import fill
        def peak():
            return int(re.search(r"VmHWM:\\s+(\\d+)", Path("{status}").read_text())[1])
        with tempfile.TemporaryDirectory() as cache:
            open_images(fill(Path(cache) / "good", 3), (16, 16), workers=0, cache_dir=cache)
            before = peak()
            open_images({str(path)!r}, (16, 16), workers=0, cache_dir=cache)
        print(peak() - before)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


class Test01Empty:
    def test_says_what_was_searched_for(self, tmp_path: Path):
        with pytest.raises(DataError, match="no images") as refused:
            opened(tmp_path)
        assert ".png" in refused.value.message and refused.value.exit_code == 3

    def test_says_what_was_found_instead(self, tmp_path: Path):
        for name in ("a.heic", "b.heic", "c"):
            (tmp_path / name).write_bytes(b"")
        with pytest.raises(DataError, match=r"2 \.heic, 1 without extension"):
            opened(tmp_path)

    def test_an_empty_archive(self, tmp_path: Path):
        with pytest.raises(DataError, match="no images"):
            opened(zipped(tmp_path / "a.zip", {}))
        with tarfile.open(tmp_path / "a.tar", "w"):
            pass
        with pytest.raises(DataError, match="no images"):
            opened(tmp_path / "a.tar")


class Test02Truncated:
    def test_is_listed_and_training_goes_on(self, tmp_path: Path):
        fill(tmp_path, 3)
        content = encoded(noise(300, 300), "JPEG")
        Image.open(io.BytesIO(content[:-5000])).verify()  # Pillow's own check passes it
        (tmp_path / "cut.jpg").write_bytes(content[:-5000])
        dataset = opened(tmp_path, max_bad=0.5)
        assert dataset.num_pictures == 3
        assert reasons(dataset).keys() == {"cut.jpg"}
        assert "truncated" in reasons(dataset)["cut.jpg"]


class Test03Flipped:
    def flipped(self, folder: Path, keep_time: bool) -> Path:
        """A JPEG with one bit changed that still decodes to something."""
        file = folder / "photo.jpg"
        file.write_bytes(encoded(Image.fromarray(smooth(64, 64)), "JPEG"))
        opened(folder)
        before, content = file.stat(), bytearray(file.read_bytes())
        content[-40] ^= 4
        file.write_bytes(content)
        if keep_time:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        Image.open(io.BytesIO(content)).load()
        return file

    @pytest.mark.parametrize("keep_time", [True, False])
    def test_is_found_by_reading_everything_again(self, tmp_path: Path, keep_time: bool):
        fill(tmp_path, 3)
        assert verify(tmp_path).against is None
        file = self.flipped(tmp_path, keep_time)
        found = verify(tmp_path)
        assert [each.path for each in found.changed] == [str(file)]
        assert ("not its size and time" in found.changed[0].reason) == keep_time
        assert found.num_read == 4

    def test_what_comes_and_goes(self, tmp_path: Path):
        fill(tmp_path, 3)
        opened(tmp_path)
        (tmp_path / "00000.png").rename(tmp_path / "new.png")
        found = verify(tmp_path)
        assert found.missing == (str(tmp_path / "00000.png"),)
        assert found.new == (str(tmp_path / "new.png"),)
        assert not found.changed

    def test_in_an_array(self, tmp_path: Path):
        path = tmp_path / "a.npy"
        np.save(path, np.stack([noise(16, 16, seed=seed) for seed in range(5)]))
        opened(path)
        before, content = path.stat(), bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert [each.path for each in verify(path).changed] == [f"{path}[4]"]


class Test04Bomb:
    def test_400_megapixels_in_49_kb(self, tmp_path: Path):
        """Its pixels would take 50 MB even at one bit each."""
        file = tmp_path / "set" / "bomb.png"
        fill(file.parent, 2)
        file.write_bytes(self.png(20_000, 20_000))
        assert file.stat().st_size < 60_000
        dataset = opened(file.parent)
        assert dataset.num_pictures == 2 and "megapixels" in dataset.unusable[0].reason
        assert taken_kib(file.parent) < 20_000

    def png(self, width: int, height: int) -> bytes:
        def chunk(kind: bytes, body: bytes) -> bytes:
            return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))

        header = struct.pack(">LLBBBBB", width, height, 1, 0, 0, 0, 0)
        packer = zlib.compressobj(9)
        body = b"".join(packer.compress(bytes(1 + width // 8)) for _ in range(height)) + packer.flush()
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")

    def test_a_member_is_not_held_packed_and_unpacked_at_once(self, tmp_path: Path):
        member = np.random.default_rng(0).bytes(2**26)  # which does not get smaller
        path = zipped(tmp_path / "a.zip", {"a.png": encoded(noise(16, 16)) + member})
        assert opened(path).num_pictures == 1
        assert taken_kib(path) < 1.5 * 2**16

    def test_very_large_images_are_decoded_in_turn_and_waiting_is_not_hanging(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(ingest, "WorkerPool", partial(WorkerPool, patience_s=3.0))
        (fill(tmp_path, ingest.FEW) / "0.png").write_bytes(encoded(Image.new("1", (6000, 6000))))
        begun = []

        def turn_of_another() -> None:
            (folder,) = (cache_root() / "sets").iterdir()
            with locked(folder / TURN, lambda: None):
                is_locked.set()
                time.sleep(5)
                begun.append(pixels_path(folder, 0).exists())

        is_locked, other = threading.Event(), threading.Thread(target=turn_of_another)

        def progress(done: int, total: int, what: str) -> None:
            if other.ident is None:  # before any worker is started
                other.start()
                is_locked.wait()

        assert opened(tmp_path, workers=2, progress=progress).num_pictures == ingest.FEW + 1
        assert begun == [False]


class Test05OtherFormats:
    def test_eps_and_svg_called_png(self, tmp_path: Path):
        fill(tmp_path, 2)
        (tmp_path / "e.png").write_bytes(encoded(Image.new("RGB", (16, 16)), "EPS"))
        (tmp_path / "s.png").write_bytes(b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>')
        found = reasons(opened(tmp_path))
        assert "PostScript" in found["e.png"] and "SVG" in found["s.png"]


class Test06SixteenBits:
    def test_scaled_and_not_clipped(self, tmp_path: Path):
        (tmp_path / "deep.png").write_bytes(encoded(Image.fromarray(np.full((16, 16), 40_000, np.uint16))))
        assert (opened(tmp_path).batch(np.array([0])) == 156).all()


class Test07Kinds:
    def test_each_gives_the_documented_pixel(self, tmp_path: Path):
        exif = Image.Exif()
        exif[0x0112] = 3
        halves = np.zeros((16, 16, 3), np.uint8)
        halves[8:] = 255
        palette = Image.new("P", (16, 16), 1)
        palette.putpalette([0, 0, 0, 1, 2, 3])
        frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
        files = {
            "alpha.png": encoded(Image.new("RGBA", (16, 16), (0, 0, 0, 0))),
            "cmyk.tif": encoded(Image.new("CMYK", (16, 16), (0, 255, 0, 0)), "TIFF"),
            "gif.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
            "one.png": encoded(Image.new("1", (16, 16), 1)),
            "palette.png": encoded(palette),
            "turned.png": encoded(halves, exif=exif),
        }
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        corners = opened(tmp_path).batch(np.arange(6))[:, 0, 0].tolist()
        expected = [[255] * 3, [255, 0, 255], [255, 0, 0], [255] * 3, [1, 2, 3], [255] * 3]
        assert corners == expected
        assert opened(tmp_path, background="#102030").batch(np.array([0]))[0, 0, 0].tolist() == [16, 32, 48]


class Test08MostlyUnusable:
    def make(self, root: Path) -> Path:
        fill(root, 1)
        for number in range(9):
            (root / f"bad{number}.png").write_bytes(b"no image")
        return root

    def test_stops_above_the_share(self, tmp_path: Path):
        with pytest.raises(DataError, match="9 of 10") as refused:
            opened(self.make(tmp_path), max_bad=0.5)
        assert refused.value.exit_code == 3
        assert "bad0.png" in refused.value.message and "--max-bad" in refused.value.hint

    def test_goes_on_at_the_share(self, tmp_path: Path):
        assert opened(self.make(tmp_path), max_bad=0.9).num_pictures == 1

    def test_none_usable_is_always_too_few(self, tmp_path: Path):
        (tmp_path / "bad.png").write_bytes(b"no image")
        with pytest.raises(DataError, match="1 of 1"):
            opened(tmp_path, max_bad=1.0)
        assert opened(tmp_path, max_bad=None).num_pictures == 0


@posix
class Test09SpecialFiles:
    def test_loops_pipes_sockets_and_devices_do_not_hang(self, tmp_path: Path):
        root = fill(tmp_path / "set", 2)
        (root / "inner").mkdir()
        (root / "inner" / "up").symlink_to(root)
        (root / "loop.png").symlink_to("loop.png")
        (root / "loop").symlink_to("loop")
        (root / "nowhere.png").symlink_to("not there")
        (root / "zero.png").symlink_to("/dev/zero")
        os.mkfifo(root / "pipe.png")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.relpath(root / "s.png"))
            dataset = opened(root)
        assert dataset.num_pictures == 2
        assert {name: reason.split(" (")[0] for name, reason in reasons(dataset).items()} == {
            "up": "a link to a folder that is already read",
            "loop.png": "a link that leads back to itself",
            "loop": "a link that leads back to itself",
            "nowhere.png": "a broken link",
            "zero.png": "a device, not a regular file",
            "pipe.png": "a pipe, not a regular file",
            "s.png": "a socket, not a regular file",
        }

    def test_a_pipe_that_takes_the_place_of_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """Between listing and reading; opening it the usual way would wait for ever."""
        root = fill(tmp_path / "set", 2)

        def swap(done: int, total: int, what: str) -> None:
            (root / "00001.png").unlink(missing_ok=True)
            if not (root / "00001.png").exists():
                os.mkfifo(root / "00001.png")

        opener = threading.Thread(target=lambda: found.append(opened(root, progress=swap)), daemon=True)
        found: list[ImageDataset] = []
        opener.start()
        opener.join(20)
        assert found and found[0].num_pictures == 1

    def test_links_to_images_and_folders_are_followed(self, tmp_path: Path):
        fill(tmp_path / "elsewhere", 2)
        root = fill(tmp_path / "set", 1, begin=10)
        (root / "linked").symlink_to(tmp_path / "elsewhere")
        (root / "one.png").symlink_to(tmp_path / "elsewhere" / "00000.png")
        assert opened(root).num_pictures == 4

    def test_what_may_not_be_read(self, tmp_path: Path):
        """As another user, since root may read everything."""
        root = fill(tmp_path / "set", 2)
        (root / "secret").mkdir()
        fill(root / "secret", 1)
        (root / "00001.png").chmod(0)
        (root / "secret").chmod(0)
        code = f"""
            import os
            from pathlib import Path
            from ganzfeld.data.sources.folder import FolderSource
            if os.getuid() == 0:
                os.setgroups([]); os.setgid(65534); os.setuid(65534)
            source = FolderSource(Path({str(root)!r}))
            for entry in source.entries():
                try:
                    print(entry.name, entry.flaw or len(source.read(entry)))
                except OSError as problem:
                    print(entry.name, problem.strerror)
        """
        for folder in (root, *root.parents):
            if folder.stat().st_uid == os.getuid() and folder != Path("/tmp"):
                folder.chmod(folder.stat().st_mode | 0o055)
        ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
        (root / "secret").chmod(0o755)
        lines = ended.stdout.splitlines()
        assert lines[1:] == ["00001.png Permission denied", "secret cannot be opened (Permission denied)"]


class Test10Names:
    names = (
        "new\nline.png",
        "<script>alert(1)</script>.png".replace("/", "\u2215"),
        "日本.png",
        " .png",
        "-rf.png",
    )

    @posix
    def test_any_name_works(self, tmp_path: Path):
        raw = [os.fsencode(name) for name in self.names] + [b"\xff\xfe.png", b"\x1b[31m.png"]
        for number, name in enumerate(raw):
            (tmp_path / os.fsdecode(name)).write_bytes(encoded(noise(16, 16, seed=number)))
        assert opened(tmp_path).num_pictures == len(raw)
        assert opened(tmp_path, workers=1, channels=3).num_pictures == len(raw)

    @posix
    def test_what_is_shown_is_one_plain_line(self, tmp_path: Path):
        (tmp_path / os.fsdecode(b"\x1b[31m\n\xff.png")).write_bytes(b"no image")
        with pytest.raises(DataError) as refused:
            opened(tmp_path, max_bad=0.5)
        assert refused.value.message.isprintable()

    def test_a_run_folder_gets_a_safe_name(self, tmp_path: Path):
        assert opened(fill(tmp_path / "my <photos>: 1\n", 1)).name == "my-photos-1"
        assert opened(fill(tmp_path / "...", 1)).name == "pictures"


class Test11Changed:
    def test_the_cache_serves_and_opening_again_notices(self, tmp_path: Path):
        root = fill(tmp_path / "set", 3)
        dataset = opened(root)
        before = dataset.batch(np.arange(3))
        (root / "00000.png").unlink()
        (root / "00001.png").write_bytes(b"")
        np.testing.assert_array_equal(dataset.batch(np.arange(3)), before)
        assert opened(root).content_hash != dataset.content_hash

    def test_a_file_that_changes_between_listing_and_reading(self, tmp_path: Path):
        root = fill(tmp_path / "set", 3)

        def change(done: int, total: int, what: str) -> None:
            other = encoded(smooth(16, 16)).ljust((root / "00001.png").stat().st_size, b"\0")
            (root / "00001.png").write_bytes(other)
            (root / "00002.png").unlink(missing_ok=True)

        found = reasons(opened(root, progress=change))
        assert "changed" in found["00001.png"]
        assert "No such file" in found["00002.png"]

    def test_nothing_of_the_user_s_is_touched(self, tmp_path: Path):
        root = fill(tmp_path / "set", 3)
        before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.iterdir()}
        mtime = root.stat().st_mtime_ns
        opened(root)
        assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.iterdir()} == before
        assert root.stat().st_mtime_ns == mtime


class Test12Archives:
    def test_names_that_lead_out(self, tmp_path: Path):
        good = encoded(noise(16, 16))
        names = ["../out.png", "a/../../out.png", "/abs.png", "C:\\out.png", "..\\out.png"]
        path = zipped(tmp_path / "a.zip", {"good.png": good} | dict.fromkeys(names, good))
        dataset = opened(path)
        assert dataset.num_pictures == 1
        assert {each.reason for each in dataset.unusable} == {"its name leads out of the archive"}
        # Also one that begins at the root is shown as what lies in the archive.
        assert all(each.path.startswith(str(dataset.place_of_all)) for each in dataset.unusable)
        assert len(dataset.unusable) == 5
        assert [file.name for file in tmp_path.rglob("*.png")] == []

    @posix
    def test_links(self, tmp_path: Path):
        """A link in an archive could read any file of the user's."""
        fill(tmp_path / "set", 1)
        (tmp_path / "set" / "link.png").symlink_to("/etc/passwd")
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            tar.add(tmp_path / "set", "set")
            hard = tarfile.TarInfo("set/hard.png")
            hard.type, hard.linkname = tarfile.LNKTYPE, "set/00000.png"
            tar.addfile(hard)
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(tmp_path / "set" / "00000.png", "00000.png")
            link = zipfile.ZipInfo("link.png")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
        for name, links in (("a.tar", {"link.png", "hard.png"}), ("a.zip", {"link.png"})):
            found = reasons(opened(tmp_path / name))
            assert found.keys() == links
            assert all("link" in reason for reason in found.values())

    def test_a_member_that_unpacks_to_gigabytes(self, tmp_path: Path):
        """Its size is believed when it is refused, and not believed when it is read."""
        path = zipped(tmp_path / "a.zip", {"0.png": encoded(noise(16, 16)), "zeros.png": bytes(50_000_000)})
        assert opened(path).num_pictures == 1
        lying = bytearray(path.read_bytes())
        at = lying.rfind(b"PK\x01\x02")  # the entry of the last member: it now says 1,000 bytes
        lying[at + 24 : at + 28] = struct.pack("<L", 1_000)
        path.write_bytes(lying)
        assert "damaged" in reasons(opened(path))["zeros.png"]
        assert taken_kib(path) < 20_000

    def test_a_member_above_the_limit(self, tmp_path: Path):
        path = zipped(tmp_path / "a.zip", {"0.png": encoded(noise(16, 16)), "1.png": b"1"})
        content = bytearray(path.read_bytes())
        at = content.rfind(b"PK\x01\x02")
        content[at + 24 : at + 28] = struct.pack("<L", 900_000_000)
        path.write_bytes(content)
        assert "MiB" in reasons(opened(path))["1.png"]

    def test_overlapping_members_that_add_up_to_terabytes(self, tmp_path: Path):
        path = zipped(tmp_path / "a.zip", {f"{n}.png": b"1" for n in range(400)})
        content = path.read_bytes().replace(b"PK\x01\x02", b"\0CEN")
        parts = content.split(b"\0CEN")
        big = [part[:20] + struct.pack("<L", 400_000_000) + part[24:] for part in parts[1:]]
        path.write_bytes(b"PK\x01\x02".join([parts[0], *big]))
        with pytest.raises(DataError, match="would decompress to"):
            opened(path)

    def test_a_tar_whose_header_asks_for_gigabytes(self, tmp_path: Path):
        info = tarfile.TarInfo("header")
        info.type, info.size = tarfile.XHDTYPE, 2**33
        (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2**20))
        with pytest.raises(DataError, match="header of"):
            opened(tmp_path / "a.tar")

    def test_a_tar_that_decompresses_without_end(self, tmp_path: Path):
        info = tarfile.TarInfo("huge.bin")
        info.size = 2**36
        (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))
        with pytest.raises(DataError, match="would decompress to"):
            opened(tmp_path / "a.tar.gz")

    def test_an_encrypted_member(self, tmp_path: Path):
        path = zipped(tmp_path / "a.zip", {"0.png": encoded(noise(16, 16)), "1.png": b"1"})
        content = bytearray(path.read_bytes())
        content[content.rfind(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(content)
        assert reasons(opened(path)) == {"1.png": "encrypted"}

    @pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
    def test_a_cut_archive(self, tmp_path: Path, share: float):
        files = {f"{n}.png": encoded(noise(16, 16, seed=n)) for n in range(20)}
        path = zipped(tmp_path / "a.zip", files)
        os.truncate(path, int(path.stat().st_size * share))
        with pytest.raises(DataError, match="directory"):
            opened(path)
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        os.truncate(tmp_path / "a.tar.gz", int((tmp_path / "a.tar.gz").stat().st_size * share))
        dataset = opened(tmp_path / "a.tar.gz")
        assert 0 < dataset.num_pictures <= 20


class Test13Few:
    def test_a_single_image(self, tmp_path: Path):
        found = survey(opened(fill(tmp_path, 1)))
        assert [advice.name for advice in found.warnings] == ["too-few-pictures"]
        assert "single image" in found.warnings[0].text

    def test_fewer_than_a_batch(self, tmp_path: Path):
        found = survey(opened(fill(tmp_path, 10)))
        assert "Only 10 images: a long run may memorise them" in found.warnings[0].text
        assert "--set crop=0.125" in found.warnings[0].text

    def test_all_the_same(self, tmp_path: Path):
        for number in range(5):
            (tmp_path / f"{number}.png").write_bytes(encoded(noise(16, 16)))
        found = survey(opened(tmp_path))
        assert (
            "All 5 images are the same"
            in {advice.name: advice.text for advice in found.warnings}["duplicate-pictures"]
        )
        assert found.usable == 5  # advice never lowers it
