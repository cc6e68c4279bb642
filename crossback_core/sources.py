"""The files that data sets are published in; light, for the workflow reads it before any job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class RemoteFile:
    """A file of a published data set.

    Args:
        name: The file's name on disk.
        url: Where it is fetched.
        page: Where people can fetch it by hand.
        checksum: "md5:..." or "sha256:..." of the file; None where its publisher tells none.
    """

    name: str
    url: str
    page: str
    checksum: str | None = None


def _drive(name: str, file: str, key: str) -> RemoteFile:
    """Describe a file on Google Drive that was shared before resource keys came up.

    The address is the one behind Drive's page "too large to be scanned for viruses", with that
    page's answer in it (`confirm=t`).
    """
    return RemoteFile(
        name=name,
        url=(
            "https://drive.usercontent.google.com/download"
            f"?id={file}&export=download&confirm=t&resourcekey={key}"
        ),
        page=f"https://drive.google.com/file/d/{file}/view?resourcekey={key}",
    )


_CUB = "https://data.caltech.edu/records/65de6-vp158"
_COCO = "http://images.cocodataset.org"
_FLOWERS = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
_CIFAR = "https://www.cs.toronto.edu/~kriz/"

PUBLISHED: dict[str, tuple[RemoteFile, ...]] = {
    "cub": (
        RemoteFile(
            name="CUB_200_2011.tgz",
            url=f"{_CUB}/files/CUB_200_2011.tgz?download=1",
            page=_CUB,
            checksum="md5:97eceeb196236b17998738112f37df78",
        ),
        _drive("cvpr2016_cub.tar.gz", "0B0ywwgffWnLLZW9uVHNjb2JmNlE", "0-8y2UVmBHAlG26HafWYNoFQ"),
    ),
    "coco": (
        RemoteFile(
            name="train2017.zip",
            url=f"{_COCO}/zips/train2017.zip",
            page="https://cocodataset.org/#download",
            checksum="md5:cced6f7f71b7629ddf16f17bbcfab6b2",
        ),
        RemoteFile(
            name="val2017.zip",
            url=f"{_COCO}/zips/val2017.zip",
            page="https://cocodataset.org/#download",
            checksum="md5:442b8da7639aecaf257c1dceb8ba8c80",
        ),
        RemoteFile(
            name="annotations_trainval2017.zip",
            url=f"{_COCO}/annotations/annotations_trainval2017.zip",
            page="https://cocodataset.org/#download",
            checksum="md5:f4bbac642086de4f52a3fdda2de5fa2c",
        ),
    ),
    "oxford": (
        RemoteFile(
            name="102flowers.tgz",
            url=f"{_FLOWERS}102flowers.tgz",
            page=_FLOWERS,
            checksum="md5:52808999861908f626f3c1f4e79d11fa",
        ),
        RemoteFile(
            name="imagelabels.mat",
            url=f"{_FLOWERS}imagelabels.mat",
            page=_FLOWERS,
            checksum="md5:e0620be6f572b9609742df49c70aed4d",
        ),
        _drive(
            "cvpr2016_flowers.tar.gz", "0B0ywwgffWnLLcms2WWJQRFNSWXM", "0-Av8zFbeDDvNcF1sSjDR32w"
        ),
    ),
    "cifar100": (
        RemoteFile(
            name="cifar-100-python.tar.gz",
            url=f"{_CIFAR}cifar-100-python.tar.gz",
            page=f"{_CIFAR}cifar.html",
            checksum="md5:eb9058c3a382ffc7106e4002c42a8d85",
        ),
    ),
}


def remote_files(kind: str, urls: Mapping[str, str]) -> tuple[RemoteFile, ...]:
    """List the files of a kind of data set; none where it is not published as files.

    Args:
        kind: Which kind.
        urls: Other addresses by file name. An address that ends in #md5=... or #sha256=... is one
            of another file, with that checksum; without, the known checksum applies.
    """
    return tuple(_at(file, urls.get(file.name)) for file in PUBLISHED.get(kind, ()))


def _at(file: RemoteFile, url: str | None) -> RemoteFile:
    if url is None:
        return file
    address, _, checksum = url.partition("#")
    if checksum:
        return replace(file, url=address, page=address, checksum=checksum.replace("=", ":"))
    return replace(file, url=address)
