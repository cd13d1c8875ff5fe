"""Stands in for ale-py's build backend while pip downloads its source distribution.

pip insists on reading a source distribution's metadata, for which it would first install the
package's whole build environment (nanobind, jax, CMake). The sources are all that set-up wants:
this answers pip's question with the least that it accepts. It is on PYTHONPATH for that one call.
"""
import os
import re


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    # pip runs this in the unpacked source distribution, whose PKG-INFO names the version
    with open("PKG-INFO", encoding="utf-8") as info:
        version = re.search(r"^Version: (\S+)$", info.read(), re.MULTILINE).group(1)
    folder = "ale_py-%s.dist-info" % version
    os.mkdir(os.path.join(metadata_directory, folder))
    with open(os.path.join(metadata_directory, folder, "METADATA"), "w", encoding="utf-8") as metadata:
        metadata.write("Metadata-Version: 2.1\nName: ale-py\nVersion: %s\n" % version)
    return folder


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise NotImplementedError("only for pip download: see scripts/setup/archives.mjs")
