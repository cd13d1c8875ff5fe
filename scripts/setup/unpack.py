"""unpack.py ARCHIVE DESTINATION PATTERN...: extracts the members of a wheel or a .tar.gz that match a pattern."""
import fnmatch
import sys
import tarfile
import zipfile

archive, destination, patterns = sys.argv[1], sys.argv[2], sys.argv[3:]


def wanted(name):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


if archive.endswith(".whl"):
    with zipfile.ZipFile(archive) as opened:
        members = [name for name in opened.namelist() if wanted(name)]
        opened.extractall(destination, members)
else:
    with tarfile.open(archive) as opened:
        members = [member for member in opened.getmembers() if member.isfile() and wanted(member.name)]
        opened.extractall(destination, members)
if not members:
    sys.exit("nothing in %s matches %s" % (archive, " ".join(patterns)))
