"""Google's own client against the stand-in: every call that the shop makes, and what it expects of it.

Usage: google_client.py BASE TOKEN FILE. Prints one JSON object; fails where the stand-in is not as Google is.
"""

import hashlib
import io
import json
import sys

import googleapiclient.discovery
import googleapiclient.http
from google.oauth2.credentials import Credentials
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.errors import HttpError

base, token, path = sys.argv[1:4]
document = json.loads(get_static_doc("drive", "v3"))
document["rootUrl"] = base + "/"
document["baseUrl"] = base + "/drive/v3/"
drive = googleapiclient.discovery.build_from_document(document, credentials=Credentials(token))
files, permissions = drive.files(), drive.permissions()
FOLDER = "application/vnd.google-apps.folder"


def reason(call):
    """The reason of a refusal."""
    try:
        call.execute()
    except HttpError as error:
        return error.resp.status, error.error_details[0]["reason"]
    raise AssertionError("nothing was refused")


about = drive.about().get(fields="user,storageQuota").execute()
assert about["user"]["emailAddress"] == "owner@example.com", about

ids = files.generateIds(count=3, space="drive").execute()["ids"]
assert len(set(ids)) == 3, ids
folder = files.create(
    body={"id": ids[0], "name": "Khoá học's v1", "mimeType": FOLDER, "appProperties": {"course": "7"}},
    fields="id,webViewLink,appProperties",
).execute()
assert folder["id"] == ids[0] and folder["webViewLink"] and folder["appProperties"] == {"course": "7"}, folder
assert "name" not in folder, "only what was asked for"
assert reason(files.create(body={"id": ids[0], "name": "again"})) == (409, "fileIdInUse")

# Resumable, in pieces, through the faults that are set; the client asks how far it is by itself.
with open(path, "rb") as file:
    contents = file.read()
media = googleapiclient.http.MediaIoBaseUpload(
    io.BytesIO(contents), mimetype="video/mp4", chunksize=1024 * 1024, resumable=True
)
upload = files.create(
    body={"id": ids[1], "name": "a.mp4", "parents": [ids[0]]},
    media_body=media,
    fields="id,size,md5Checksum,sha1Checksum,sha256Checksum",
)
refused, done = 0, None
while done is None:
    try:
        _, done = upload.next_chunk()
    except HttpError as error:
        assert error.resp.status == 503, error
        refused += 1
assert int(done["size"]) == len(contents), done
for name, algorithm in (("md5Checksum", "md5"), ("sha1Checksum", "sha1"), ("sha256Checksum", "sha256")):
    assert done[name] == hashlib.new(algorithm, contents).hexdigest(), done
assert files.get_media(fileId=ids[1]).execute() == contents

# In one request.
small = googleapiclient.http.MediaInMemoryUpload(b"xin chao", mimetype="text/plain", resumable=False)
files.create(body={"id": ids[2], "name": "b.txt", "parents": [ids[0]]}, media_body=small).execute()
listed = files.list(
    q="'%s' in parents and trashed=false" % ids[0],
    pageSize=1,
    fields="nextPageToken,files(id,name,size)",
    supportsAllDrives=True,
    includeItemsFromAllDrives=True,
)
names = []
while listed is not None:
    page = listed.execute()
    names += [file["name"] for file in page["files"]]
    listed = files.list_next(listed, page)
assert sorted(names) == ["a.mp4", "b.txt"], names

reader = {"type": "user", "role": "reader", "emailAddress": "lan@example.com"}
share = {"fileId": ids[0], "sendNotificationEmail": False, "supportsAllDrives": True}
first = permissions.create(body=reader, fields="id,emailAddress,role,expirationTime", **share).execute()
again = permissions.create(body=reader, **share).execute()
assert first["id"] == again["id"] and first["emailAddress"] == "lan@example.com", (first, again)
everybody = permissions.list(fileId=ids[0], fields="permissions(id,role)").execute()["permissions"]
assert {p["role"] for p in everybody} == {"owner", "reader"}, everybody
assert permissions.get(fileId=ids[0], permissionId=first["id"]).execute()["role"] == "reader"
assert permissions.delete(fileId=ids[0], permissionId=first["id"]).execute() == ""
assert reason(permissions.delete(fileId=ids[0], permissionId=first["id"])) == (404, "notFound")
renamed = files.update(fileId=ids[2], body={"name": "c.txt"}, fields="name").execute()
assert renamed == {"name": "c.txt"}, renamed
assert files.delete(fileId=ids[0]).execute() == ""
assert reason(files.get(fileId=ids[1])) == (404, "notFound"), "what is in a deleted folder goes with it"
print(json.dumps({"refused": refused, "document": get_static_doc("drive", "v3") is not None}))
