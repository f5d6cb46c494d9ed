// What S3Storage sends, and how it deals with stores that are less than AWS.
#include "base/format.h"
#include "storage/fencing_probe.h"
#include "tests/support/errors.h"
#include "tests/unit/storage/s3/s3_fixture.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::storage;
using namespace walden::storage::s3;
using testing::count_of;
using testing::make_body;
using testing::open_s3;
using testing::S3Server;
using testing::settings_for;
using PutOutcome = vault::ObjectStorage::PutOutcome;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

S3Settings with_parts(const S3Server& server) {
    S3Settings settings = settings_for(server);
    settings.multipart_threshold = 5 * mib;
    settings.part_size = 5 * mib;
    settings.stall_timeout = std::chrono::seconds(20);
    return settings;
}

std::string rule(std::string_view operation, std::string_view action, int skip = 0) {
    return format(R"([{{"match": {{"operation": "{}"}}, "skip": {}, "times": 1, "action": {}}}])",
                  operation, skip, action);
}

}  // namespace

TEST_CASE("a put is one request on a connection that is kept", "[s3]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    for (int i = 0; i < 50; ++i)
        CHECK(storage->put_new(format("k/{}", i), make_body(2000)) == PutOutcome::created);
    const S3Statistics statistics = storage->statistics();
    CHECK(statistics.requests(Operation::put_object) == 50);
    CHECK(statistics.connection_count == 1);
    CHECK(server.log().size() == 50);
    for (const auto& request : server.log()) {
        CHECK(request.connection == server.log().front().connection);
        CHECK(request.header("if-none-match") == "*");
        CHECK_FALSE(request.header("expect").has_value());
    }
    CHECK(server.state().find("p/q/k/7")->checksums.contains("crc32c"));
}

TEST_CASE("an object has the class, encryption and retention of the configuration", "[s3]") {
    const S3Server server;
    S3Settings settings = with_parts(server);
    settings.storage_class = "STANDARD_IA";
    settings.sse = "aws:kms";
    settings.sse_kms_key_id = "key/1";
    settings.object_lock_mode = ObjectLockMode::compliance;
    settings.object_lock_days = 30;
    settings.checksum = Checksum::crc64nvme;
    const auto storage = open_s3(settings);
    CHECK(storage->put_new("whole", as_bytes("x")) == PutOutcome::created);
    CHECK(storage->put_new("parts", make_body(6 * mib)) == PutOutcome::created);
    const auto state = server.state();
    const auto until = iso_time(std::chrono::system_clock::now() + std::chrono::hours(24 * 30));
    for (const char* key : {"p/q/whole", "p/q/parts"}) {
        INFO(key);
        const testing::S3StoredObject* object = state.find(key);
        REQUIRE(object != nullptr);
        CHECK(object->storage_class == "STANDARD_IA");
        CHECK(object->encryption.at("x-amz-server-side-encryption") == "aws:kms");
        CHECK(object->encryption.at("x-amz-server-side-encryption-aws-kms-key-id") == "key/1");
        CHECK(object->lock_mode == "COMPLIANCE");
        CHECK(object->retain_until.substr(0, 13) == until.substr(0, 13));
        CHECK(object->checksums.contains("crc64nvme"));
    }
}

TEST_CASE("a large object goes as parts and comes back whole", "[s3][multipart]") {
    const S3Server server;
    const auto storage = open_s3(with_parts(server));
    const Bytes body = make_body(12 * mib + 1);
    CHECK(storage->put_new("k", body) == PutOutcome::created);
    Bytes out;
    CHECK(storage->get("k", out));
    CHECK(equal(out, body));
    const S3Statistics statistics = storage->statistics();
    CHECK(statistics.requests(Operation::upload_part) == 3);
    CHECK(statistics.requests(Operation::create_upload) == 1);
    CHECK(statistics.requests(Operation::complete_upload) == 1);
    CHECK(statistics.requests(Operation::head_object) ==
          1);  // whether it is taken, beside the parts
    CHECK(statistics.requests(Operation::put_object) == 0);
    CHECK(storage->put_new("k", body) == PutOutcome::already_present);
    CHECK(server.state().uploads.empty());
    CHECK(storage->put_new("small", make_body(5 * mib)) == PutOutcome::created);
    CHECK(storage->statistics().requests(Operation::put_object) == 1);
}

TEST_CASE("an upload that fails before its completion is aborted", "[s3][multipart]") {
    const S3Server server;
    const auto storage = open_s3(with_parts(server));
    const Bytes body = make_body(12 * mib);
    for (const char* operation : {"upload_part", "head_object"}) {
        INFO(operation);
        server.faults(rule(operation, R"({"status": 503})"));
        CHECK(test::kind_of([&] { static_cast<void>(storage->put_new("k", body)); }) ==
              ErrorKind::unavailable);
        CHECK(server.state().uploads.empty());
        CHECK(server.state().objects.empty());
    }
}

TEST_CASE("a completion whose outcome is unknown is left alone and found later (faults 2, 5)",
          "[s3][multipart]") {
    const S3Server server;
    const auto storage = open_s3(with_parts(server));
    const Bytes body = make_body(6 * mib);
    server.faults(rule("complete_upload", R"({"ok_with_error": "InternalError"})"));
    CHECK(test::kind_of([&] { static_cast<void>(storage->put_new("k", body)); }) ==
          ErrorKind::unavailable);
    CHECK(count_of(server.log(), "abort_upload") == 0);
    const auto left = storage->list_unfinished_uploads();
    REQUIRE(left.size() == 1);
    CHECK(left[0].key == "k");
    CHECK(left[0].started > std::chrono::system_clock::now() - std::chrono::hours(1));
    CHECK(storage->put_new("k", body) == PutOutcome::created);
    storage->abort_upload(left[0].key, left[0].upload_id);
    storage->abort_upload(left[0].key, left[0].upload_id);  // gone already: fine
    CHECK(storage->list_unfinished_uploads().empty());

    // On a kept connection the request is sent once more: its upload is gone, the object is there.
    server.faults(rule("complete_upload", R"({"reset": "after"})"));
    CHECK(storage->put_new("l", body) == PutOutcome::already_present);
}

TEST_CASE("of two uploads to one name the second is refused at its completion (fault 20)",
          "[s3][multipart]") {
    const S3Server server;
    const auto storage = open_s3(with_parts(server));
    CHECK(storage->put_new_in_parts("k", as_bytes("first")) == PutOutcome::created);
    CHECK(storage->put_new_in_parts("k", as_bytes("second")) == PutOutcome::already_present);
    Bytes out;
    CHECK(storage->get("k", out));
    CHECK(as_text(out) == "first");
    CHECK(server.state().uploads.empty());
    // A store that ignores the condition is asked before.
    server.options(R"({"ignore_if_none_match": true})");
    CHECK(storage->put_new_in_parts("k", as_bytes("second")) == PutOutcome::created);
    CHECK(storage->put_new("k", make_body(6 * mib)) == PutOutcome::already_present);
}

TEST_CASE("a store without conditional writes is refused unless that is accepted",
          "[s3][fencing]") {
    const S3Server server({.transport = {}, .arguments = {"--no-conditional"}});
    const auto strict = open_s3(settings_for(server));
    CHECK(test::kind_of([&] { static_cast<void>(strict->put_new("k", {})); }) == ErrorKind::usage);
    CHECK(server.state().objects.empty());

    S3Settings settings = with_parts(server);
    settings.fencing = Fencing::none;
    const auto lenient = open_s3(settings);
    CHECK(lenient->put_new("k", as_bytes("first")) == PutOutcome::created);
    CHECK(lenient->put_new("k", as_bytes("second")) == PutOutcome::already_present);
    CHECK(lenient->put_new("l", as_bytes("x")) == PutOutcome::created);
    // The store has to refuse the condition once only.
    CHECK(lenient->statistics().requests(Operation::put_object) == 3);
    CHECK(lenient->put_new("parts", make_body(6 * mib)) == PutOutcome::created);
    CHECK(lenient->put_new("parts", make_body(6 * mib)) == PutOutcome::already_present);
}

TEST_CASE("a store that ignores the condition does not pass the probe (faults 20, 21)",
          "[s3][fencing]") {
    const S3Server server;
    const auto storage = open_s3(settings_for(server));
    CHECK(probe_fencing(*storage, "checks/1").is_proven);
    CHECK(server.state().objects.empty());
    server.options(R"({"ignore_if_none_match": true})");
    CHECK(probe_fencing(*storage, "checks/2").reason == "the second of two writers was let in");

    // Accepted as it is, the storage looks first.
    S3Settings settings = settings_for(server);
    settings.fencing = Fencing::none;
    const auto lenient = open_s3(settings);
    CHECK(lenient->put_new("k", as_bytes("first")) == PutOutcome::created);
    CHECK(lenient->put_new("k", as_bytes("second")) == PutOutcome::already_present);
}

TEST_CASE("a certificate is verified, by the authority that is named", "[s3][tls]") {
    const S3Server server({.transport = testing::S3ServerOptions::Transport::tls, .arguments = {}});
    S3Settings settings = settings_for(server);
    const auto error =
        test::error_of([&] { static_cast<void>(open_s3(settings)->put_new("k", {})); });
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::denied);
    CHECK(test::mentions(error->hint(), "ca_file"));
    settings.ca_file = server.ca_file();
    settings.payload_hash = PayloadHash::http;
    const auto storage = open_s3(settings);
    CHECK(storage->put_new("k", as_bytes("x")) == PutOutcome::created);
    CHECK(server.log().back().header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD");
    settings.ca_file = "/nonexistent";
    CHECK(test::kind_of([&] { static_cast<void>(open_s3(settings)->stat("k")); }) ==
          ErrorKind::usage);
}

TEST_CASE("the bucket may be in the host's name", "[s3][tls]") {
    const S3Server server({.transport = testing::S3ServerOptions::Transport::tls, .arguments = {}});
    S3Settings settings = settings_for(server);
    settings.endpoint = format("https://s3.localhost:{}", server.port());
    settings.addressing = Addressing::virtual_host;
    settings.ca_file = server.ca_file();
    const auto storage = open_s3(settings);
    CHECK(storage->put_new("k/l", as_bytes("x")) == PutOutcome::created);
    CHECK(server.log().back().header("host") ==
          format("walden-test.s3.localhost:{}", server.port()));
    CHECK(storage->stat("k/l").has_value());
    std::size_t count = 0;
    storage->list("", "", [&](const vault::ObjectInfo&) { return ++count, true; });
    CHECK(count == 1);
}
