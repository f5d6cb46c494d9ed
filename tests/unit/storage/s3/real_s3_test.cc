// S3Storage on a real server, which tests/support/with_s3 has started and describes in the
// environment.
#include "base/error.h"
#include "base/format.h"
#include "storage/s3/s3_storage.h"
#include "tests/support/storage_contract.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <memory>
#include <string>

using namespace walden;
using namespace walden::storage;
using namespace walden::storage::s3;
using PutOutcome = vault::ObjectStorage::PutOutcome;

namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    REQUIRE(value != nullptr);
    return value;
}

bool has_conditional_writes() {
    return variable("WALDEN_TEST_S3_SERVER") != "swift";
}

/// Each prefix is an empty store of its own.
S3Settings server_settings() {
    static int prefix_count = 0;
    S3Settings settings;
    settings.endpoint = variable("WALDEN_TEST_S3_ENDPOINT");
    settings.bucket = variable("WALDEN_TEST_S3_BUCKET");
    settings.prefix = format("test/{}", ++prefix_count);
    settings.region = "us-east-1";
    settings.ca_file = variable("WALDEN_TEST_S3_CA");
    return settings;
}

class RealFixture : public testing::StorageFixture {
public:
    RealFixture() {
        S3Settings settings = server_settings();
        if (!has_conditional_writes()) settings.fencing = Fencing::none;
        storage_ = std::make_unique<S3Storage>(settings);
    }

    vault::ObjectStorage& storage() override { return *storage_; }

    [[nodiscard]] bool is_fenced() const override { return has_conditional_writes(); }

    [[nodiscard]] std::size_t object_count() const override {
        return has_conditional_writes() ? 150 : 45;  // Swift takes five times as long for one
    }

private:
    std::unique_ptr<S3Storage> storage_;
};

}  // namespace

TEST_CASE("S3Storage keeps the contract of the port on a real server", "[s3][contract]") {
    testing::check_storage_contract([] { return std::make_unique<RealFixture>(); });
}

TEST_CASE("a real server that lacks conditional writes refuses them, and nothing is stored",
          "[s3]") {
    if (has_conditional_writes()) return;
    S3Storage storage(server_settings());
    CHECK_THROWS_AS(storage.put_new("k", as_bytes("body")), Error);
    CHECK_FALSE(storage.stat("k").has_value());
}

TEST_CASE("an object in parts is one object on a real server", "[s3]") {
    S3Settings settings = server_settings();
    if (!has_conditional_writes()) settings.fencing = Fencing::none;
    settings.part_size = part_size_min;
    settings.multipart_threshold = part_size_min;
    S3Storage storage(settings);
    const Bytes body(part_size_min * 3 + 1, std::byte{'x'});
    CHECK(storage.put_new("parts", body) == PutOutcome::created);
    CHECK(storage.put_new("parts", as_bytes("other")) == PutOutcome::already_present);
    Bytes out;
    REQUIRE(storage.get("parts", out));
    CHECK(equal(out, body));
    CHECK(storage.list_unfinished_uploads().empty());
}
