// The fixture for the S3 server of the tests; what the server itself does s3_server_test.py tries.
#include "base/error.h"
#include "tests/support/s3_server.h"

#include <catch2/catch.hpp>

#include <fstream>

namespace walden::testing {

TEST_CASE("the S3 server of the tests starts, takes rules and shows what it has", "[support]") {
    const S3Server server;
    CHECK(server.endpoint() == "http://127.0.0.1:" + std::to_string(server.port()));
    server.faults(R"([{"match": {"operation": "put_object"}, "action": {"status": 503}}])");
    server.options(R"({"conditional": false})");
    CHECK(server.log().empty());
    CHECK(server.state().objects.empty());
    CHECK(server.state().uploads.empty());
    CHECK(server.state().find("k") == nullptr);
    server.reset();
    CHECK_THROWS_AS(server.faults(R"([{"action": {"no such": 1}}])"), Error);
    CHECK_THROWS_AS(server.options(R"({"no such": 1})"), Error);
}

TEST_CASE("an S3 server of the tests that was killed does not answer", "[support]") {
    S3Server server;
    server.kill();
    CHECK_THROWS_AS(server.log(), Error);
}

TEST_CASE("the S3 server of the tests speaks TLS with a certificate of its own", "[support]") {
    const S3Server server({.transport = S3ServerOptions::Transport::tls, .arguments = {}});
    CHECK(server.endpoint().starts_with("https://"));
    CHECK(std::ifstream(server.ca_file()).good());
    CHECK(server.log().empty());
}

TEST_CASE("an S3 server of the tests with a wrong option is an error", "[support]") {
    CHECK_THROWS_AS(S3Server({.transport = {}, .arguments = {"--no-such-option"}}), Error);
}

}  // namespace walden::testing
