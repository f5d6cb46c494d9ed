"""The scripted faults of s3_server.py: which request gets which, and the log of all requests.

A rule is {"match": {...}, "skip": n, "times": n, "action": {...}}. It matches a request of which all
that "match" names is true: "method", "operation", "key_prefix", "key_contains", "bucket",
"part_number" (of an upload, as a number). The first "skip" matches pass, the next "times" (default 1, -1 for ever) get the action; then the rule is used
up and later rules are asked.
"""

import json
import threading

MATCHES = {"method", "operation", "key_prefix", "key_contains", "bucket", "part_number"}
OPERATIONS = {"put_object", "get_object", "head_object", "list", "delete", "delete_batch",
              "create_upload", "upload_part", "complete_upload", "abort_upload", "list_uploads",
              "list_parts", "head_bucket", "create_bucket", "get_location", "get_versioning"}
ACTIONS = {"status", "code", "headers", "body", "after", "reset", "truncate", "stall", "slow", "flip",
           "ok_with_error", "redirect", "huge_headers", "huge_xml", "date_skew", "wrong_checksum",
           "store_truncated", "close", "no_checksum", "etag"}


def check_rule(rule):
    """Raises ValueError for a rule that would never do anything: a test must not pass by it."""
    for part, known in (("match", MATCHES), ("action", ACTIONS)):
        unknown = set(rule.get(part, {})) - known
        if unknown:
            raise ValueError(f"unknown {part}: {', '.join(sorted(unknown))}")
    unknown = set(rule) - {"match", "skip", "times", "action"}
    if unknown or not rule.get("action"):
        raise ValueError(f"a rule needs an action and knows no {', '.join(sorted(unknown))}")
    operation = rule.get("match", {}).get("operation")
    if operation is not None and operation not in OPERATIONS:
        raise ValueError(f"unknown operation {operation}")
    if rule["action"].get("reset", "before") not in ("before", "after", "body"):
        raise ValueError("reset is before, after or body")


class Rule:
    def __init__(self, description):
        check_rule(description)
        self.match = description.get("match", {})
        self.skip = description.get("skip", 0)
        self.times = description.get("times", 1)
        self.action = description["action"]

    def is_for(self, call):
        return (self.match.get("method") in (None, call.method)
                and self.match.get("operation") in (None, call.operation)
                and self.match.get("bucket") in (None, call.bucket)
                and str(self.match.get("part_number", "")) in ("", call.query.get("partNumber"))
                and call.key.startswith(self.match.get("key_prefix", ""))
                and self.match.get("key_contains", "") in call.key)


class Script:
    """The rules and the log. Safe from several threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rules = []
        self.entries = []

    def reset(self):
        with self.lock:
            self.rules = []
            self.entries = []

    def set_rules(self, text):
        """Replaces the rules by the JSON list `text`; ValueError if it is not one."""
        rules = [Rule(description) for description in json.loads(text)]
        with self.lock:
            self.rules = rules

    def take(self, call):
        """The action for this request, {} for none."""
        with self.lock:
            for rule in self.rules:
                if rule.times == 0 or not rule.is_for(call):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                if rule.times > 0:
                    rule.times -= 1
                return rule.action
        return {}

    def record(self, entry):
        with self.lock:
            self.entries.append(entry)

    def log(self):
        with self.lock:
            return list(self.entries)
