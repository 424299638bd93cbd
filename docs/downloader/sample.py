#!/usr/bin/env python3
"""A downloader for ChotDon that needs nothing but Python: fetches a list of files from a server of your own.

The list is at $LIBRARY/<course>.json: [{"path": "Lesson 1.mp4", "size": 1048576, "sha256": "…"}], the files below
$LIBRARY/<course>/. The secret is sent as a bearer token. A file under way lies in $CHOTDON_KEEP, so that the
next attempt goes on where this one stopped.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

TRY_AGAIN = 75
CHUNK = 1 << 20


def say(**line):
    print(json.dumps(line, ensure_ascii=False), flush=True)


def get(url, secret, start=0):
    request = urllib.request.Request(url)
    if secret:
        request.add_header("Authorization", f"Bearer {secret}")
    if start:
        request.add_header("Range", f"bytes={start}-")
    return urllib.request.urlopen(request, timeout=60)


def fetch(url, secret, path, size, keep, progress):
    part = os.path.join(keep, urllib.parse.quote(path, safe=""))
    start = os.path.getsize(part) if os.path.exists(part) else 0
    start = start if start <= size else 0
    if start < size or size == 0:
        with get(url, secret, start) as answer:
            if start and answer.status != 206:
                start = 0
            with open(part, "ab" if start else "wb") as file:
                progress(start)
                while piece := answer.read(CHUNK):
                    file.write(piece)
                    progress(len(piece))
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    os.replace(part, path)


def main():
    asked = json.loads(sys.stdin.readline())
    library, course, secret = os.environ["LIBRARY"].rstrip("/"), asked["course"], asked["secret"]
    with get(f"{library}/{urllib.parse.quote(course)}.json", secret) as answer:
        files = json.load(answer)
    total, done = sum(file["size"] for file in files), 0

    def progress(more):
        nonlocal done
        done += more
        say(done=done, total=total)

    for file in files:
        say(item=file["path"], file=file)
        url = f"{library}/{urllib.parse.quote(course)}/{urllib.parse.quote(file['path'])}"
        fetch(url, secret, file["path"], file["size"], os.environ["CHOTDON_KEEP"], progress)


try:
    main()
except urllib.error.HTTPError as error:
    say(error=f"the library answered {error.code}")
    sys.exit(TRY_AGAIN if error.code in (408, 429) or error.code >= 500 else 1)
except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
    say(error=f"the library cannot be reached: {error}")
    sys.exit(TRY_AGAIN)
