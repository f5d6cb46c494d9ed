// What one step of an upload in parts costs when it fails: that step. Numbers are those of the
// fault table.
#include "base/format.h"
#include "base/guarded.h"
#include "storage/wrappers/retrying_storage.h"
#include "tests/support/errors.h"
#include "tests/unit/storage/s3/s3_fixture.h"

#include <catch2/catch.hpp>

#include <map>

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

/// Three parts of 5, 5 and 1 MiB.
const Bytes& three_parts() {
    static const Bytes body = make_body(11 * mib);
    return body;
}

S3Settings with_parts(const S3Server& server) {
    S3Settings settings = settings_for(server);
    settings.multipart_threshold = 5 * mib;
    settings.part_size = 5 * mib;
    settings.stall_timeout = std::chrono::seconds(20);
    return settings;
}

RetryOptions quick_retries() {
    RetryOptions options;
    options.attempt_count_max = 5;
    options.sleep = [](std::chrono::milliseconds, const std::stop_token&) {};
    return options;
}

/// A rule of the server for one part of an upload; `times` -1 is for ever.
std::string part_rule(int part_number, std::string_view action, int times) {
    return format(
        R"({{"match": {{"operation": "upload_part", "part_number": {}}}, "times": {}, "action": {}}})",
        part_number, times, action);
}

std::string operation_rule(std::string_view operation, std::string_view action) {
    return format(R"([{{"match": {{"operation": "{}"}}, "times": 1, "action": {}}}])", operation,
                  action);
}

/// How often each part was sent, by its number.
std::map<std::string, int> part_counts(const S3Server& server) {
    std::map<std::string, int> counts;
    for (const testing::S3Request& request : server.log())
        if (request.operation == "upload_part") ++counts[request.query.at("partNumber")];
    return counts;
}

using PartCounts = std::map<std::string, int>;

}  // namespace

TEST_CASE("a part that fails is sent again and the others are not (faults 2, 3)",
          "[s3][multipart]") {
    const S3Server server;
    const auto storage = open_s3(with_parts(server), quick_retries());
    server.faults("[" + part_rule(2, R"({"status": 503})", 2) + "," +
                  part_rule(3, R"({"reset": "body"})", 1) + "]");
    const Bytes& body = three_parts();
    CHECK(storage->put_new("k", body) == PutOutcome::created);
    CHECK(part_counts(server) == PartCounts{{"1", 1}, {"2", 3}, {"3", 2}});
    const auto log = server.log();
    CHECK(count_of(log, "create_upload") == 1);
    CHECK(count_of(log, "complete_upload") == 1);
    CHECK(count_of(log, "abort_upload") == 0);
    Bytes out;
    CHECK(storage->get("k", out));
    CHECK(equal(out, body));
}

TEST_CASE("a part that the store keeps otherwise is sent again (fault 6)", "[s3][multipart]") {
    const S3Server server;
    const auto storage = open_s3(with_parts(server), quick_retries());
    server.faults("[" + part_rule(1, R"({"wrong_checksum": true})", 1) + "]");
    CHECK(storage->put_new("k", three_parts()) == PutOutcome::created);
    CHECK(part_counts(server) == PartCounts{{"1", 2}, {"2", 1}, {"3", 1}});
}

TEST_CASE("a part that fails for good fails the whole, once, and the upload is aborted (fault 3)",
          "[s3][multipart]") {
    const S3Server server;
    const auto storage = open_s3(with_parts(server), quick_retries());
    RetryingStorage retrying(*storage, quick_retries());
    server.faults("[" + part_rule(2, R"({"status": 503})", -1) + "]");
    const auto error =
        test::error_of([&] { static_cast<void>(retrying.put_new("k", three_parts())); });
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::unavailable);
    CHECK(test::mentions(error->message(), "upload part 2"));
    CHECK(test::mentions(error->detail(), "Gave up after 5 attempts."));
    CHECK(part_counts(server).at("2") == 5);
    const auto log = server.log();
    // The policy further out does not begin again with what was given up.
    CHECK(count_of(log, "create_upload") == 1);
    CHECK(count_of(log, "abort_upload") == 1);
    CHECK(server.state().uploads.empty());
    CHECK(server.state().objects.empty());
}

TEST_CASE("a refused part ends the upload at once, also where another waits (fault 4)",
          "[s3][multipart]") {
    const S3Server server;
    RetryOptions patient;  // the real sleep: only a stop ends an hour of waiting
    patient.delay_base = patient.delay_cap = 1h;
    patient.random = [] { return 0.999; };
    const auto storage = open_s3(with_parts(server), patient);
    server.faults("[" + part_rule(1, R"({"status": 503})", -1) + "," +
                  part_rule(3, R"({"status": 403})", -1) + "]");
    CHECK(test::kind_of([&] { static_cast<void>(storage->put_new("k", three_parts())); }) ==
          ErrorKind::denied);
    CHECK(part_counts(server).at("3") == 1);
    CHECK(server.state().uploads.empty());
}

TEST_CASE("an upload that is gone is begun anew (fault 2)", "[s3][multipart]") {
    const S3Server server;
    const auto storage = open_s3(with_parts(server), quick_retries());
    server.faults("[" + part_rule(3, R"({"status": 404, "code": "NoSuchUpload"})", 1) + "]");
    CHECK(test::kind_of([&] { static_cast<void>(storage->put_new("k", three_parts())); }) ==
          ErrorKind::unavailable);
    CHECK(part_counts(server).at("3") == 1);
    server.reset();

    RetryingStorage retrying(*storage, quick_retries());
    server.faults("[" + part_rule(3, R"({"status": 404, "code": "NoSuchUpload"})", 1) + "]");
    CHECK(retrying.put_new("k", three_parts()) == PutOutcome::created);
    CHECK(part_counts(server).at("3") == 2);
    CHECK(count_of(server.log(), "create_upload") == 2);
    CHECK(server.state().uploads.empty());
}

TEST_CASE("a part is not sent earlier than the store wants, nor after the deadline (faults 3, 7)",
          "[s3][multipart]") {
    const S3Server server;
    RetryOptions options = quick_retries();
    Guarded<std::vector<std::chrono::milliseconds>> sleeps;
    options.sleep = [&](std::chrono::milliseconds delay, const std::stop_token&) {
        sleeps.with([&](auto& all) { all.push_back(delay); });
    };
    options.deadline = RetryOptions::Clock::now() + 1h;
    const auto storage = open_s3(with_parts(server), options);
    const std::string throttled = R"({"status": 503, "headers": {"Retry-After": "1800"}})";
    server.faults("[" + part_rule(1, throttled, 1) + "]");
    CHECK(storage->put_new("k", three_parts()) == PutOutcome::created);
    CHECK(sleeps.with([](const auto& all) { return all == std::vector{1'800'000ms}; }));

    server.faults("[" + part_rule(1, R"({"status": 503, "headers": {"Retry-After": "7200"}})", -1) +
                  "]");
    const auto error =
        test::error_of([&] { static_cast<void>(storage->put_new("l", three_parts())); });
    REQUIRE(error);
    CHECK(test::mentions(error->detail(), "Gave up after 1 attempt as the time was over."));
    CHECK(server.state().uploads.empty());
}

TEST_CASE("a completion is asked for again without the parts (faults 2, 3, 5)", "[s3][multipart]") {
    const S3Server server;
    const auto storage = open_s3(with_parts(server), quick_retries());
    const PartCounts each_once = {{"1", 1}, {"2", 1}, {"3", 1}};
    const Bytes& body = three_parts();
    for (const char* action : {R"({"status": 503})", R"({"ok_with_error": "InternalError"})",
                               R"({"reset": "before"})", R"({"truncate": 20, "after": true})"}) {
        INFO(action);
        server.reset();
        server.faults(operation_rule("complete_upload", action));
        static_cast<void>(storage->put_new("k", body));
        CHECK(part_counts(server) == each_once);
        CHECK(count_of(server.log(), "complete_upload") == 2);
        CHECK(server.state().uploads.empty());
        Bytes out;
        CHECK(storage->get("k", out));
        CHECK(equal(out, body));
    }

    // The first one was done and its answer got lost: the object is found, whoever asks compares.
    server.reset();
    server.faults(operation_rule("complete_upload", R"({"reset": "after"})"));
    CHECK(storage->put_new("k", body) == PutOutcome::already_present);
    CHECK(part_counts(server) == each_once);
    CHECK(server.state().objects.size() == 1);
}

TEST_CASE("a conflict at the completion asks for a new upload", "[s3][multipart]") {
    const S3Server server;
    const auto storage = open_s3(with_parts(server), quick_retries());
    RetryingStorage retrying(*storage, quick_retries());
    server.faults(operation_rule("complete_upload",
                                 R"({"status": 409, "code": "ConditionalRequestConflict"})"));
    CHECK(retrying.put_new("k", three_parts()) == PutOutcome::created);
    const auto log = server.log();
    CHECK(count_of(log, "create_upload") == 2);
    CHECK(count_of(log, "complete_upload") == 2);
}
