"""Parses JSON all day, as a Python service does. A unit is a document of 6 kB."""

import json

import stretch

DOCUMENT = json.dumps(
    {"user": "ada", "items": [{"id": n, "tags": ["a", "b", str(n)], "price": n / 7, "note": "x" * (n % 40)} for n in range(80)]}
)


def handle():
    document = json.loads(DOCUMENT)
    return sum(item["price"] for item in document["items"])


stretch.serve(handle)
