"""What the server says of itself at /openapi.json, against what it answers."""

import json
import re

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

BASE = "urn:reel"


class Contract:
    def __init__(self, document):
        OpenAPIV31SpecValidator(document).validate()
        self.document = document
        self.registry = Registry().with_resource(
            BASE, Resource(contents=document, specification=DRAFT202012))
        self.checked = set()
        self.paths = {re.compile(re.sub(r"\{(\w+)\}", lambda m: ".+" if m[1] == "model" else "[^/]+",
                                        path)): item
                      for path, item in sorted(document["paths"].items(), key=lambda p: "{" in p[0])}

    def check_value(self, pointer, value):
        """That `value` is what the schema at `pointer` of the document says."""
        jsonschema.Draft202012Validator({"$ref": f"{BASE}#{pointer}"},
                                        registry=self.registry).validate(value)

    def operation(self, method, path):
        for pattern, item in self.paths.items():
            if pattern.fullmatch(path) and method.lower() in item:
                return item[method.lower()]
        return None

    def check(self, method, path, status, content_type, body):
        """That a reply is one that the document allows."""
        method = "GET" if method == "HEAD" else method
        operation = self.operation(method, path.partition("?")[0])
        if operation is None:  # then the reply says so
            assert status in (400, 401, 403, 404, 405, 415, 501, 503), (method, path, status)
            return self.check_value("/components/schemas/Error", json.loads(body))
        if status >= 400:
            return self.check_value("/components/schemas/Error", json.loads(body))
        response = operation["responses"].get(str(status))
        assert response, f"{method} {path}: {status} is not described"
        if "content" not in response or not body:
            return None
        kind = content_type.partition(";")[0]
        assert kind in response["content"], f"{method} {path}: {kind} is not described"
        self.checked.add(operation["operationId"])
        if kind == "application/json":
            schema = response["content"][kind]["schema"]
            if "$ref" in schema:
                return self.check_value(schema["$ref"].removeprefix("#"), json.loads(body))
            jsonschema.Draft202012Validator(schema).validate(json.loads(body))
        return None
