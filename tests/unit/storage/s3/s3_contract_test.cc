#include "tests/support/storage_contract.h"
#include "tests/unit/storage/s3/s3_fixture.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::storage;
using namespace walden::storage::s3;
using testing::S3Server;

namespace {

class S3Fixture : public testing::StorageFixture {
public:
    explicit S3Fixture(const std::string& prefix, std::size_t multipart_threshold) {
        S3Settings settings = testing::settings_for(server_, prefix);
        settings.multipart_threshold = multipart_threshold;
        // Under a sanitizer 64 MiB take the server some seconds to check.
        settings.stall_timeout = std::chrono::seconds(20);
        storage_ = testing::open_s3(settings);
    }

    vault::ObjectStorage& storage() override { return *storage_; }

    // Each is a request, and a page of the listing has seven.
    [[nodiscard]] std::size_t object_count() const override { return 120; }

private:
    S3Server server_{{.transport = {}, .arguments = {"--page-size", "7"}}};
    std::unique_ptr<S3Storage> storage_;
};

}  // namespace

TEST_CASE("S3Storage keeps the contract of the port", "[s3][contract]") {
    testing::check_storage_contract(
        [] { return std::make_unique<S3Fixture>("some/prefix", std::size_t{16} << 20); });
}

TEST_CASE("S3Storage keeps the contract in a bucket of its own, with everything in parts",
          "[s3][contract]") {
    testing::check_storage_contract([] { return std::make_unique<S3Fixture>("", 0); });
}
