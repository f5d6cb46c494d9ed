// Vectors: the examples of "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API
// reference (credentials AKIAIOSFODNN7EXAMPLE, 24 May 2013), and those of the AWS Signature Version
// 4 test suite that hold for S3, which neither normalises paths nor encodes them twice.
#include "storage/s3/sigv4.h"

#include "crypto/digest.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::storage;
using namespace walden::storage::s3;

namespace {

const std::string empty_hash = to_hex(crypto::sha256({}));

std::string signature_of(const std::string& authorization) {
    return authorization.substr(authorization.rfind('=') + 1);
}

/// Signs as in the S3 reference: host, hash and date are headers, too.
std::string sign_s3_example(RequestToSign request) {
    const Credentials credentials{
        .access_key_id = "AKIAIOSFODNN7EXAMPLE",
        .secret_access_key = SecretText("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        .session_token = SecretText()};
    request.headers.push_back({"Host", "examplebucket.s3.amazonaws.com"});
    request.headers.push_back({"x-amz-content-sha256", request.payload_hash});
    request.headers.push_back({"x-amz-date", "20130524T000000Z"});
    return authorization(request, credentials, {.time = "20130524T000000Z", .region = "us-east-1"});
}

struct SuiteCase {
    const char* name;
    const char* method;
    const char* path;
    NameValues query;
    NameValues headers;
    const char* body;
    const char* signature;
};

}  // namespace

TEST_CASE("the published S3 examples are signed as published", "[s3][sigv4]") {
    CHECK(sign_s3_example({.method = "GET",
                           .path = "/test.txt",
                           .query = {},
                           .headers = {{"Range", "bytes=0-9"}},
                           .payload_hash = empty_hash}) ==
          "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
          "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
          "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    CHECK(signature_of(sign_s3_example(
              {.method = "PUT",
               .path = "/test$file.text",
               .query = {},
               .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                           {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
               .payload_hash = to_hex(crypto::sha256(as_bytes("Welcome to Amazon S3.")))})) ==
          "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    CHECK(signature_of(sign_s3_example({.method = "GET",
                                        .path = "/",
                                        .query = {{"lifecycle", ""}},
                                        .headers = {},
                                        .payload_hash = empty_hash})) ==
          "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    CHECK(signature_of(sign_s3_example({.method = "GET",
                                        .path = "/",
                                        .query = {{"prefix", "J"}, {"max-keys", "2"}},
                                        .headers = {},
                                        .payload_hash = empty_hash})) ==
          "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_CASE("the cases of the Signature Version 4 test suite are signed as published",
          "[s3][sigv4]") {
    const std::string unreserved =
        "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const std::string unreserved_path = "/" + unreserved;
    const std::vector<SuiteCase> cases = {
        {"get-vanilla",
         "GET",
         "/",
         {},
         {},
         "",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"get-utf8",
         "GET",
         "/\xE1\x88\xB4",
         {},
         {},
         "",
         "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
        {"get-unreserved",
         "GET",
         unreserved_path.c_str(),
         {},
         {},
         "",
         "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
        {"get-vanilla-empty-query-key",
         "GET",
         "/",
         {{"Param1", "value1"}},
         {},
         "",
         "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
        {"get-vanilla-query-order-key-case",
         "GET",
         "/",
         {{"Param2", "value2"}, {"Param1", "value1"}},
         {},
         "",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        {"get-vanilla-query-order-value",
         "GET",
         "/",
         {{"Param1", "value2"}, {"Param1", "value1"}},
         {},
         "",
         "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
        {"get-vanilla-query-unreserved",
         "GET",
         "/",
         {{unreserved, unreserved}},
         {},
         "",
         "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
        {"get-vanilla-utf8-query",
         "GET",
         "/",
         {{"\xE1\x88\xB4", "bar"}},
         {},
         "",
         "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
        {"get-header-key-duplicate",
         "GET",
         "/",
         {},
         {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
         "",
         "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
        {"get-header-value-trim",
         "GET",
         "/",
         {},
         {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
         "",
         "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
        {"post-vanilla",
         "POST",
         "/",
         {},
         {},
         "",
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        {"post-x-www-form-urlencoded",
         "POST",
         "/",
         {},
         {{"Content-Type", "application/x-www-form-urlencoded"}},
         "Param1=value1",
         "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    };
    const Credentials credentials{
        .access_key_id = "AKIDEXAMPLE",
        .secret_access_key = SecretText("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        .session_token = SecretText()};
    for (const SuiteCase& suite_case : cases) {
        INFO(suite_case.name);
        RequestToSign request{.method = suite_case.method,
                              .path = suite_case.path,
                              .query = suite_case.query,
                              .headers = suite_case.headers,
                              .payload_hash = to_hex(crypto::sha256(as_bytes(suite_case.body)))};
        request.headers.push_back({"Host", "example.amazonaws.com"});
        request.headers.push_back({"X-Amz-Date", "20150830T123600Z"});
        INFO(canonical_request(request));
        CHECK(signature_of(authorization(
                  request, credentials,
                  {.time = "20150830T123600Z", .region = "us-east-1", .service = "service"})) ==
              suite_case.signature);
    }
}

TEST_CASE("what is sent is encoded the way it was signed", "[s3][sigv4]") {
    CHECK(encode_path("/a b/c+d=e:f@g,h~i/\xC3\xA9%") ==
          "/a%20b/c%2Bd%3De%3Af%40g%2Ch~i/%C3%A9%25");
    CHECK(encode_query({{"uploads", ""}}) == "uploads=");
    CHECK(encode_query({{"uploadId", "2~a/b+c=="}, {"partNumber", "1"}}) ==
          "partNumber=1&uploadId=2~a%2Fb%2Bc%3D%3D");
    // As encoded: "%" stands before letters, though "{" stands behind them.
    CHECK(encode_query({{"b", "1"}, {"{", "2"}}) == "%7B=2&b=1");
    CHECK(encode_query({}).empty());
}

TEST_CASE("a time is written in UTC to the second", "[s3][sigv4]") {
    using std::chrono::system_clock;
    CHECK(amz_date(system_clock::from_time_t(1369353600)) == "20130524T000000Z");
    CHECK(amz_date(system_clock::from_time_t(951782399) + std::chrono::milliseconds(999)) ==
          "20000228T235959Z");
}
