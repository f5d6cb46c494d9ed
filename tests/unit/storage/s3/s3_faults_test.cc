// What an S3 store may answer, and what becomes of it. Numbers are those of the fault table.
#include "base/format.h"
#include "storage/wrappers/retrying_storage.h"
#include "tests/support/errors.h"
#include "tests/unit/storage/s3/s3_fixture.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::storage;
using namespace walden::storage::s3;
using namespace std::chrono_literals;
using testing::count_of;
using testing::make_body;
using testing::open_s3;
using testing::S3Server;
using testing::settings_for;
using PutOutcome = vault::ObjectStorage::PutOutcome;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

RetryOptions quick_retries() {
    RetryOptions options;
    options.attempt_count_max = 5;
    options.sleep = [](std::chrono::milliseconds, const std::stop_token&) {};
    return options;
}

/// A rule for the server: `action` for the next `times` requests of `operation`.
std::string rule(std::string_view operation, std::string_view action, int times = 1) {
    return format(R"([{{"match": {{"operation": "{}"}}, "times": {}, "action": {}}}])", operation,
                  times, action);
}

Error require_error(const std::function<void()>& call) {
    auto error = test::error_of(call);
    REQUIRE(error.has_value());
    return *error;
}

std::size_t list_count(vault::ObjectStorage& storage) {
    std::size_t count = 0;
    storage.list("", "", [&](const vault::ObjectInfo&) { return ++count, true; });
    return count;
}

}  // namespace

TEST_CASE("a store that nobody answers for is unavailable, and named (fault 1)", "[s3][faults]") {
    S3Server server;
    const auto storage = open_s3(settings_for(server));
    const std::string endpoint = server.endpoint();
    server.kill();
    const Error error = require_error([&] { static_cast<void>(storage->put_new("k", {})); });
    CHECK(error.kind() == ErrorKind::unavailable);
    CHECK(test::mentions(error.message(), endpoint));
}

TEST_CASE("a name that does not resolve is unavailable, and named (fault 1)", "[s3][faults]") {
    const S3Server server;
    S3Settings settings = settings_for(server);
    settings.endpoint = "http://no-such-host.invalid";
    const Error error = require_error([&] { static_cast<void>(open_s3(settings)->stat("k")); });
    CHECK(error.kind() == ErrorKind::unavailable);
    CHECK(test::mentions(error.message(), "no-such-host.invalid"));
}

TEST_CASE("a put whose answer got lost finds its own object when repeated (fault 2)",
          "[s3][faults]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    for (const char* action : {R"({"reset": "after"})", R"({"after": true, "status": 500})"}) {
        INFO(action);
        server.reset();
        server.faults(rule("put_object", action));
        CHECK(test::kind_of([&] { static_cast<void>(storage->put_new("k", as_bytes("mine"))); }) ==
              ErrorKind::unavailable);
        CHECK(storage->put_new("k", as_bytes("mine")) == PutOutcome::already_present);
        Bytes out;
        CHECK(storage->get("k", out));
        CHECK(as_text(out) == "mine");
        CHECK(server.state().objects.size() == 1);
    }
}

TEST_CASE("a connection that breaks before or amid the body leaves nothing (fault 2)",
          "[s3][faults]") {
    const S3Server server;
    for (const char* action : {R"({"reset": "before"})", R"({"reset": "body"})"}) {
        INFO(action);
        server.reset();
        server.faults(rule("put_object", action));
        const auto storage = open_s3(settings_for(server));
        RetryingStorage retrying(*storage, quick_retries());
        CHECK(test::kind_of([&] { static_cast<void>(storage->put_new("k", make_body(mib))); }) ==
              ErrorKind::unavailable);
        CHECK(server.state().objects.empty());
        CHECK(retrying.put_new("k", make_body(mib)) == PutOutcome::created);
    }
}

TEST_CASE("a kept connection that the server has closed is replaced (fault 2)", "[s3][faults]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    REQUIRE(storage->put_new("first", {}) == PutOutcome::created);
    server.faults(rule("put_object", R"({"reset": "body"})"));
    CHECK(storage->put_new("k", make_body(mib)) == PutOutcome::created);
    // Where the request had been done, the answer is that of the second one: whoever asks compares.
    server.faults(rule("put_object", R"({"reset": "after"})"));
    CHECK(storage->put_new("l", make_body(mib)) == PutOutcome::already_present);
    Bytes out;
    CHECK(storage->get("l", out));
    CHECK(equal(out, make_body(mib)));
    CHECK(storage->statistics().connection_count == 3);
}

TEST_CASE("a store in trouble is asked again, and not before it wants (fault 3)", "[s3][faults]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    for (const auto& [status, code] : {std::pair{503, "SlowDown"},
                                       {500, "InternalError"},
                                       {429, "TooManyRequests"},
                                       {502, ""},
                                       {504, ""},
                                       {409, "ConditionalRequestConflict"},
                                       {400, "RequestTimeout"}}) {
        INFO(status << " " << code);
        server.faults(
            rule("put_object",
                 format(R"({{"status": {}, "code": "{}", "headers": {{"Retry-After": "7"}}}})",
                        status, code)));
        const Error error =
            require_error([&] { static_cast<void>(storage->put_new("k", as_bytes("x"))); });
        CHECK(error.kind() == ErrorKind::unavailable);
        CHECK(error.retry_after() == 7s);
        CHECK(test::mentions(error.message(), format("status {}", status)));
    }
    CHECK(storage->put_new("k", as_bytes("x")) == PutOutcome::created);
}

TEST_CASE("a wrong key is not tried twice, and no secret gets into the message (fault 4)",
          "[s3][faults]") {
    const S3Server server;
    S3Storage storage(settings_for(server), testing::server_credentials("hunter2/secret"),
                      std::chrono::system_clock::now);
    RetryingStorage retrying(storage, quick_retries());
    const Error error = require_error([&] { static_cast<void>(retrying.put_new("k", {})); });
    CHECK(error.kind() == ErrorKind::denied);
    CHECK(test::mentions(error.message(), "SignatureDoesNotMatch"));
    for (const std::string& text : {error.message(), error.detail(), error.hint()})
        CHECK_FALSE(test::mentions(text, "hunter2"));
    CHECK(server.log().size() == 1);
}

TEST_CASE("a clock that is wrong is corrected once by the server's date (faults 4, 34)",
          "[s3][faults]") {
    const S3Server server;
    for (const auto skew : {std::chrono::hours(24), std::chrono::hours(-24)}) {
        server.reset();
        S3Storage storage(settings_for(server), testing::server_credentials(),
                          [skew] { return std::chrono::system_clock::now() + skew; });
        CHECK(storage.put_new("k", as_bytes("x")) == PutOutcome::created);
        CHECK(storage.stat("k").has_value());
        CHECK(server.log().size() == 3);
        CHECK(storage.statistics().correction_count == 1);

        // A HEAD is refused without a word; the date alone tells.
        S3Storage silent(settings_for(server), testing::server_credentials(),
                         [skew] { return std::chrono::system_clock::now() + skew; });
        CHECK(silent.stat("k").has_value());
    }
    // A clock that jumps while we run.
    auto offset = std::make_shared<std::chrono::hours>(0);
    server.reset();
    S3Storage jumping(settings_for(server), testing::server_credentials(),
                      [offset] { return std::chrono::system_clock::now() + *offset; });
    CHECK(jumping.put_new("a", {}) == PutOutcome::created);
    *offset = std::chrono::hours(24);
    CHECK(jumping.put_new("b", {}) == PutOutcome::created);
    *offset = std::chrono::hours(0);
    CHECK(jumping.put_new("c", {}) == PutOutcome::created);
}

TEST_CASE("200 with an error document is that error (fault 5)", "[s3][faults]") {
    const S3Server server;
    S3Settings settings = settings_for(server);
    settings.multipart_threshold = 0;
    const auto whole = open_s3(settings_for(server));
    const auto in_parts = open_s3(settings);
    const char* action = R"({"ok_with_error": "InternalError"})";
    for (const char* operation : {"create_upload", "upload_part", "complete_upload"}) {
        INFO(operation);
        server.faults(rule(operation, action));
        CHECK(test::kind_of([&] { static_cast<void>(in_parts->put_new("k", as_bytes("x"))); }) ==
              ErrorKind::unavailable);
    }
    server.faults(rule("put_object", action));
    CHECK(test::kind_of([&] { static_cast<void>(whole->put_new("k", as_bytes("x"))); }) ==
          ErrorKind::unavailable);
    server.faults(rule("list", action));
    CHECK(test::kind_of([&] { list_count(*whole); }) == ErrorKind::unavailable);
    server.faults(rule("delete_batch", action));
    CHECK(test::kind_of([&] {
              whole->remove(std::vector<std::string>{"a", "b"});
          }) == ErrorKind::unavailable);
    CHECK(server.state().objects.empty());
    CHECK(whole->put_new("k", as_bytes("x")) == PutOutcome::created);
}

TEST_CASE("a store that keeps other bytes than were sent is found out (fault 6)", "[s3][faults]") {
    const S3Server server;
    S3Settings settings = settings_for(server);
    settings.multipart_threshold = 5 * mib;
    const auto storage = open_s3(settings);
    server.faults(rule("put_object", R"({"wrong_checksum": true})"));
    CHECK(test::kind_of([&] { static_cast<void>(storage->put_new("a", as_bytes("x"))); }) ==
          ErrorKind::corrupt);
    server.faults(rule("upload_part", R"({"wrong_checksum": true})"));
    CHECK(test::kind_of([&] { static_cast<void>(storage->put_new("b", make_body(6 * mib))); }) ==
          ErrorKind::unavailable);
    CHECK_FALSE(storage->stat("b").has_value());
    CHECK(server.state().uploads.empty());
}

TEST_CASE("a store without checksums that keeps other bytes is found out by the ETag (fault 6)",
          "[s3][faults]") {
    const S3Server server;
    S3Settings settings = settings_for(server);
    const bool sends_checksum = GENERATE(true, false);
    if (!sends_checksum) settings.checksum = Checksum::none;
    const auto storage = open_s3(settings);
    const Bytes body = make_body(1000);
    server.faults(rule("put_object", R"({"store_truncated": 999, "no_checksum": true})"));
    const Error error = require_error([&] { static_cast<void>(storage->put_new("cut", body)); });
    CHECK(error.kind() == ErrorKind::corrupt);
    CHECK(test::mentions(error.message(), "other bytes than were sent"));
    // The name is taken by what the store made of it, and nothing is put over it.
    CHECK(storage->put_new("cut", body) == PutOutcome::already_present);

    // The steady state: no question beside the PUT.
    server.reset();
    server.faults(rule("put_object", R"({"no_checksum": true})", -1));
    CHECK(storage->put_new("a", body) == PutOutcome::created);
    CHECK(storage->put_new("b", {}) == PutOutcome::created);
    CHECK(server.log().size() == 2);
}

TEST_CASE("an ETag that is no MD5 stops nobody (fault 6)", "[s3][faults]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    const auto answer = [&](std::string_view etag) {
        server.faults(
            rule("put_object", format(R"({{"no_checksum": true, "etag": "{}"}})", etag), -1));
    };
    // Encrypted with a key of the customer's, in parts, weak, or none at all: not looked at.
    for (const char* etag : {R"(\"0123456789abcdef0123456789abcdef-3\")",
                             R"(W/\"0123456789abcdef0123456789abcdef\")", "0x8DB2C0FFEE", ""}) {
        INFO(etag);
        server.reset();
        answer(etag);
        CHECK(storage->put_new("k", as_bytes("x")) == PutOutcome::created);
        CHECK(server.log().size() == 1);
    }
    // It looks like one: the object is read once, and then no more.
    server.reset();
    answer(R"(\"0123456789abcdef0123456789abcdef\")");
    for (const char* key : {"a", "b", "c"})
        CHECK(storage->put_new(key, as_bytes("x")) == PutOutcome::created);
    CHECK(count_of(server.log(), "get_object") == 1);
    CHECK(server.log().size() == 4);

    S3Settings settings = settings_for(server);
    settings.sse = "aws:kms";
    const auto encrypted = open_s3(settings);
    server.reset();
    answer(R"(\"0123456789abcdef0123456789abcdef\")");
    CHECK(encrypted->put_new("k", as_bytes("x")) == PutOutcome::created);
    CHECK(server.log().size() == 1);
    // As Swift writes it: without quotes. And in capitals.
    for (const char* etag :
         {"9dd4e461268c8034f5c8564e155c67a6", "9DD4E461268C8034F5C8564E155C67A6"}) {
        const auto fresh = open_s3(settings_for(server));
        server.reset();
        answer(etag);
        CHECK(fresh->put_new("k", as_bytes("x")) == PutOutcome::created);
        CHECK(server.log().size() == 1);
    }
}

TEST_CASE("a body that is cut or changed on its way down is unavailable (fault 6)",
          "[s3][faults]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    const Bytes body = make_body(300'000);
    REQUIRE(storage->put_new("k", body) == PutOutcome::created);
    Bytes out;
    for (const char* action :
         {R"({"truncate": 0})", R"({"truncate": 1000})", R"({"truncate": 299999})",
          R"({"flip": 5})", R"({"flip": -1})", R"({"reset": "body"})"}) {
        INFO(action);
        server.faults(rule("get_object", action));
        CHECK(test::kind_of([&] { static_cast<void>(storage->get("k", out)); }) ==
              ErrorKind::unavailable);
    }
    CHECK(storage->get("k", out));
    CHECK(equal(out, body));
    server.faults(rule("list", R"({"truncate": 40})"));
    CHECK(test::kind_of([&] { list_count(*storage); }) == ErrorKind::unavailable);
}

TEST_CASE("a store that stalls is given up after the stall timeout (fault 7)", "[s3][faults]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    REQUIRE(storage->put_new("k", make_body(mib)) == PutOutcome::created);
    const auto begin = std::chrono::steady_clock::now();
    server.faults(rule("put_object", R"({"stall": -1})"));
    CHECK(test::kind_of([&] { static_cast<void>(storage->put_new("x", as_bytes("x"))); }) ==
          ErrorKind::unavailable);
    Bytes out;
    server.faults(rule("get_object", R"({"stall": -1, "truncate": 1000})"));
    CHECK(test::kind_of([&] { static_cast<void>(storage->get("k", out)); }) ==
          ErrorKind::unavailable);
    CHECK(std::chrono::steady_clock::now() - begin < 20s);
}

TEST_CASE("a store that trickles is given up after the request timeout (fault 7)", "[s3][faults]") {
    const S3Server server;
    S3Settings settings = settings_for(server);
    settings.request_timeout = 500ms;
    const auto storage = open_s3(settings);
    REQUIRE(open_s3(settings_for(server))->put_new("k", make_body(mib)) == PutOutcome::created);
    server.faults(rule("get_object", R"({"slow": 1000})"));
    Bytes out;
    CHECK(test::kind_of([&] { static_cast<void>(storage->get("k", out)); }) ==
          ErrorKind::unavailable);
}

TEST_CASE("headers and documents without end are refused", "[s3][faults]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    Bytes out;
    server.faults(rule("get_object", R"({"huge_headers": 200000})"));
    CHECK(test::kind_of([&] { static_cast<void>(storage->get("k", out)); }).has_value());
    server.faults(rule("list", format(R"({{"huge_xml": {}}})", xml_size_max + 1)));
    const Error error = require_error([&] { list_count(*storage); });
    CHECK(error.kind() == ErrorKind::corrupt);
    server.faults(rule("get_object", format(R"({{"huge_xml": {}}})", 65 * mib)));
    CHECK(test::kind_of([&] { static_cast<void>(storage->get("k", out)); }) == ErrorKind::corrupt);
}

TEST_CASE("a redirect is not followed to wherever it leads", "[s3][faults]") {
    const S3Server server, other;
    const auto storage = open_s3(settings_for(server));
    for (const int status : {301, 307}) {
        server.faults(
            rule("put_object", format(R"({{"redirect": "{}/walden-test/p/q/k", "status": {}}})",
                                      other.endpoint(), status)));
        const Error error =
            require_error([&] { static_cast<void>(storage->put_new("k", as_bytes("x"))); });
        CHECK(error.kind() == ErrorKind::usage);
    }
    CHECK(other.log().empty());
    CHECK(storage->put_new("k", as_bytes("x")) == PutOutcome::created);
}

TEST_CASE("a bucket in another region than configured is found, once for all requests",
          "[s3][faults]") {
    const S3Server server({.transport = {}, .arguments = {"--region", "eu-west-1"}});
    S3Settings settings = settings_for(server);
    settings.region = "us-east-1";
    const auto storage = open_s3(settings);
    CHECK(storage->put_new("k", as_bytes("x")) == PutOutcome::created);
    CHECK(storage->put_new("l", as_bytes("x")) == PutOutcome::created);
    CHECK(storage->statistics().correction_count == 1);
}

TEST_CASE("a bucket that is missing is an error and never an absent object (fault 31)",
          "[s3][faults]") {
    const S3Server server;
    S3Settings settings = settings_for(server);
    settings.bucket = "no-such-bucket";
    const auto storage = open_s3(settings);
    Bytes out;
    const std::vector<std::function<void()>> calls = {
        [&] { static_cast<void>(storage->put_new("k", {})); },
        [&] { static_cast<void>(storage->get("k", out)); },
        [&] { static_cast<void>(storage->get_range("k", 0, 1, out)); },
        [&] { static_cast<void>(storage->stat("k")); },
        [&] { list_count(*storage); },
        [&] { storage->remove(std::vector<std::string>{"k"}); }};
    for (const auto& call : calls) CHECK(test::kind_of(call) == ErrorKind::not_found);
}

TEST_CASE("a 404 that S3 did not write is no absent object", "[s3][faults]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    Bytes out;
    server.faults(rule("get_object", R"({"status": 404, "body": "<html>no</html>"})"));
    CHECK(test::kind_of([&] { static_cast<void>(storage->get("k", out)); }) ==
          ErrorKind::unavailable);
    CHECK_FALSE(storage->get("k", out));
}

TEST_CASE("without s3:ListBucket an absent object is a refusal that names it (fault 99)",
          "[s3][faults]") {
    const S3Server server({.transport = {}, .arguments = {"--no-list-permission"}});
    const auto storage = open_s3(settings_for(server));
    REQUIRE(storage->put_new("there", as_bytes("x")) == PutOutcome::created);
    Bytes out;
    CHECK(storage->get("there", out));
    for (const auto& call : std::vector<std::function<void()>>{
             [&] { static_cast<void>(storage->get("k", out)); },
             [&] { static_cast<void>(storage->get_range("k", 0, 1, out)); },
             [&] { static_cast<void>(storage->stat("k")); }}) {
        const Error error = require_error(call);
        CHECK(error.kind() == ErrorKind::denied);
        CHECK(test::mentions(error.message(), "permission s3:ListBucket is missing"));
    }
    server.options(R"({"list_permission": true})");
    server.faults(rule("get_object", R"({"status": 403, "code": "AccessDenied"})"));
    CHECK(test::mentions(test::message_of([&] { static_cast<void>(storage->get("k", out)); }),
                         "permission s3:GetObject is missing"));
}

TEST_CASE("a batch removal reports the objects that are still there", "[s3][faults]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    std::vector<std::string> keys;
    for (int i = 0; i < 1001; ++i) keys.push_back(format("k/{}", i));
    storage->remove(keys);
    CHECK(count_of(server.log(), "delete_batch") == 1);  // the last key goes by itself
    server.faults(rule("delete_batch",
                       R"({"status": 200, "body": "<DeleteResult><Error><Key>p/q/k/7</Key><Code>)"
                       R"(AccessDenied</Code></Error></DeleteResult>"})"));
    const Error error = require_error([&] { storage->remove(keys); });
    CHECK(error.kind() == ErrorKind::denied);
    CHECK(test::mentions(error.message(), "k/7"));
}
