#include "storage/s3/credentials.h"

#include "base/error.h"
#include "storage/s3/credential_services.h"
#include "storage/s3/flat_json.h"
#include "storage/s3/shared_files.h"
#include "tests/support/errors.h"
#include "tests/support/scratch_directory.h"
#include "tests/unit/storage/s3/http_responder.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <fstream>
#include <map>

using namespace walden;
using namespace walden::storage;
using namespace walden::storage::s3;
using namespace std::chrono_literals;
using testing::HttpResponder;
using testing::ScratchDirectory;

namespace {

/// Nothing but what a test sets: no home of the user, no metadata service of the machine.
struct TestPlace {
    ScratchDirectory directory;
    std::map<std::string, std::string> environment = {{"HOME", directory.path()},
                                                      {"AWS_EC2_METADATA_DISABLED", "true"}};

    CredentialOptions options() {
        CredentialOptions options;
        options.environment = [this](const std::string& name) -> std::optional<std::string> {
            const auto found = environment.find(name);
            if (found == environment.end()) return std::nullopt;
            return found->second;
        };
        return options;
    }

    std::string write(const std::string& name, const std::string& text) {
        const std::string path = directory.path() + "/" + name;
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path) << text;
        return path;
    }
};

std::string secret_of(const Credentials& credentials) {
    return std::string(credentials.secret_access_key.reveal());
}

std::string token_of(const Credentials& credentials) {
    return std::string(credentials.session_token.reveal());
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

constexpr const char* role_json =
    R"({ "Code" : "Success", "LastUpdated" : "2026-11-22T10:00:00Z", "Type" : "AWS-HMAC",
  "AccessKeyId" : "ASIAROLE", "SecretAccessKey" : "role\/secret", "Token" : "role+token",
  "Expiration" : "2096-11-22T16:00:00Z" })";

}  // namespace

TEST_CASE("the environment comes first", "[s3][credentials]") {
    TestPlace place;
    place.write(".aws/credentials", "[default]\naws_access_key_id=FILE\naws_secret_access_key=f\n");
    place.environment["AWS_ACCESS_KEY_ID"] = "ENV";
    CHECK(test::kind_of([&] { static_cast<void>(find_credentials(place.options())); }) ==
          ErrorKind::usage);
    place.environment["AWS_SECRET_ACCESS_KEY"] = "env-secret";
    place.environment["AWS_SESSION_TOKEN"] = "env-token";
    const Credentials credentials = find_credentials(place.options());
    CHECK(credentials.access_key_id == "ENV");
    CHECK(secret_of(credentials) == "env-secret");
    CHECK(token_of(credentials) == "env-token");
    CHECK_FALSE(credentials.expires.has_value());
    // Only a profile that the configuration names comes before it.
    CredentialOptions named = place.options();
    named.profile = "default";
    CHECK(find_credentials(named).access_key_id == "FILE");
}

TEST_CASE("a line break in credentials does not become a header", "[s3][credentials]") {
    TestPlace place;
    place.environment["AWS_ACCESS_KEY_ID"] = "A";
    place.environment["AWS_SECRET_ACCESS_KEY"] = "s";
    place.environment["AWS_SESSION_TOKEN"] = "t\r\nX-Evil: 1";
    const auto error =
        test::error_of([&] { static_cast<void>(find_credentials(place.options())); });
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::usage);
    CHECK_FALSE(contains(error->message(), "Evil"));
}

TEST_CASE("the shared files are read as AWS's tools read them", "[s3][credentials]") {
    TestPlace place;
    place.environment["AWS_SHARED_CREDENTIALS_FILE"] = place.write(
        "c",
        "# comment\n[default]\r\naws_access_key_id = D\r\naws_secret_access_key=a/b+c=\r\n\n"
        "[backup]\naws_access_key_id = B ; note\naws_secret_access_key = bs # note\n"
        "aws_session_token=bt\n");
    place.environment["AWS_CONFIG_FILE"] =
        place.write("g",
                    "[default]\nregion = eu-central-1\naws_access_key_id = other\n"
                    "[profile backup]\nregion=eu-west-3\ns3 =\n  region = nested\n"
                    "[profile sso]\nsso_session = x\n[profile empty]\n[services s]\nregion = no\n");
    CHECK(secret_of(find_credentials(place.options())) == "a/b+c=");
    CHECK(find_credentials(place.options()).access_key_id == "D");
    CHECK(region_of(place.options()) == "eu-central-1");
    place.environment["AWS_PROFILE"] = "backup";
    const Credentials backup = find_credentials(place.options());
    CHECK(backup.access_key_id == "B");
    CHECK(secret_of(backup) == "bs");
    CHECK(token_of(backup) == "bt");
    CHECK(region_of(place.options()) == "eu-west-3");
    place.environment["AWS_REGION"] = "us-west-2";
    CHECK(region_of(place.options()) == "us-west-2");
    for (const char* profile : {"sso", "missing", "services s"}) {
        INFO(profile);
        place.environment["AWS_PROFILE"] = profile;
        CHECK(test::kind_of([&] { static_cast<void>(find_credentials(place.options())); }) ==
              ErrorKind::usage);
    }
    CredentialOptions named = place.options();
    named.profile = "empty";
    CHECK(test::kind_of([&] { static_cast<void>(find_credentials(named)); }) == ErrorKind::usage);
}

TEST_CASE("nothing set up at all is said with a hint", "[s3][credentials]") {
    TestPlace place;
    const auto error =
        test::error_of([&] { static_cast<void>(find_credentials(place.options())); });
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::denied);
    CHECK(contains(error->hint(), "AWS_ACCESS_KEY_ID"));
    CHECK(region_of(place.options()).empty());
}

TEST_CASE("a web identity token is changed for credentials by STS", "[s3][credentials]") {
    TestPlace place;
    std::atomic<int> status{200};
    HttpResponder sts([&](const std::string&) -> HttpResponder::Answer {
        if (status != 200)
            return {status,
                    "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken"
                    "</Code><Message>eyJ.secret</Message></Error></ErrorResponse>"};
        return {200,
                "<AssumeRoleWithWebIdentityResponse "
                "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
                "<AssumeRoleWithWebIdentityResult><Credentials><SessionToken>st</SessionToken>"
                "<SecretAccessKey>ss</SecretAccessKey><Expiration>2096-11-22T10:00:00Z</Expiration>"
                "<AccessKeyId>ASIA</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>"
                "</AssumeRoleWithWebIdentityResponse>"};
    });
    place.environment["AWS_ENDPOINT_URL_STS"] = sts.url();
    place.environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = place.write("token", "eyJ.secret/+\n");
    CHECK(test::kind_of([&] { static_cast<void>(find_credentials(place.options())); }) ==
          ErrorKind::usage);
    place.environment["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/w";
    const Credentials credentials = find_credentials(place.options());
    CHECK(credentials.access_key_id == "ASIA");
    CHECK(secret_of(credentials) == "ss");
    CHECK(token_of(credentials) == "st");
    CHECK(credentials.expires == parse_iso_time("2096-11-22T10:00:00Z"));
    const std::string request = sts.requests().at(0);
    CHECK(request.starts_with("POST / HTTP/1.1\r\n"));
    CHECK(contains(request, "WebIdentityToken=eyJ.secret%2F%2B"));
    CHECK(contains(request, "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fw"));
    for (const auto& [code, kind] :
         {std::pair{400, ErrorKind::denied}, {500, ErrorKind::unavailable}}) {
        status = code;
        const auto error =
            test::error_of([&] { static_cast<void>(find_credentials(place.options())); });
        REQUIRE(error);
        CHECK(error->kind() == kind);
        CHECK_FALSE(contains(error->message() + error->detail() + error->hint(), "eyJ"));
    }
}

TEST_CASE("the container's endpoint gives credentials, with its token", "[s3][credentials]") {
    TestPlace place;
    HttpResponder container([](const std::string&) -> HttpResponder::Answer {
        return {200, role_json};
    });
    CredentialOptions options = place.options();
    options.container_url = container.url();
    place.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/x";
    CHECK(find_credentials(options).access_key_id == "ASIAROLE");
    CHECK(contains(container.requests().at(0), "GET /v2/credentials/x HTTP/1.1"));
    place.environment.erase("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    place.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = container.url() + "/y";
    place.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "env-token";
    const Credentials credentials = find_credentials(options);
    CHECK(secret_of(credentials) == "role/secret");
    CHECK(token_of(credentials) == "role+token");
    CHECK(contains(container.requests().at(1), "Authorization: env-token\r\n"));
    place.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = place.write("t", "file-token\n");
    CHECK(find_credentials(options).expires.has_value());
    CHECK(contains(container.requests().at(2), "Authorization: file-token\r\n"));
}

TEST_CASE("the token of a container goes to no other host", "[s3][credentials]") {
    TestPlace place;
    for (const char* url :
         {"http://example.net/x", "http://169.254.169.254/x", "http://127.0.0.1.example.net/",
          "http://localhost@example.net/", "http://169.254.170.2.example.net/", "ftp://127.0.0.1/",
          "file:///etc/passwd", "http:///x", "http://127.0.0.1\\@example.net/"}) {
        INFO(url);
        place.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
        const auto error =
            test::error_of([&] { static_cast<void>(find_credentials(place.options())); });
        REQUIRE(error);
        CHECK(error->kind() == ErrorKind::usage);
    }
}

TEST_CASE("the instance metadata service is asked with a session token", "[s3][credentials]") {
    TestPlace place;
    place.environment.erase("AWS_EC2_METADATA_DISABLED");
    std::atomic<bool> has_role{true};
    HttpResponder service([&](const std::string& request) -> HttpResponder::Answer {
        if (request.starts_with("PUT /latest/api/token "))
            return {contains(request, "token-ttl-seconds: 21600") ? 200 : 400, "imds-token"};
        if (!contains(request, "X-aws-ec2-metadata-token: imds-token\r\n")) return {401, ""};
        if (!has_role) return {404, ""};
        if (request.starts_with("GET /latest/meta-data/iam/security-credentials/ "))
            return {200, "my-role\n"};
        if (request.starts_with("GET /latest/meta-data/iam/security-credentials/my-role "))
            return {200, role_json};
        return {404, ""};
    });
    CredentialOptions options = place.options();
    options.metadata_url = service.url();
    const Credentials credentials = find_credentials(options);
    CHECK(credentials.access_key_id == "ASIAROLE");
    CHECK(credentials.expires == parse_iso_time("2096-11-22T16:00:00Z"));
    has_role = false;
    CHECK(test::kind_of([&] { static_cast<void>(find_credentials(options)); }) ==
          ErrorKind::denied);
    options.metadata_url = "http://127.0.0.1:1";  // nobody there: not on EC2
    CHECK(test::kind_of([&] { static_cast<void>(find_credentials(options)); }) ==
          ErrorKind::denied);
}

TEST_CASE("credentials are replaced before they expire, by one thread", "[s3][credentials]") {
    TimePoint now = *parse_iso_time("2026-11-22T10:00:00Z");
    int load_count = 0;
    bool fails = false;
    CredentialProvider provider(
        [&] {
            ++load_count;
            if (fails) throw Error(ErrorKind::unavailable, "service is down");
            return Credentials{.access_key_id = format("K{}", load_count),
                               .secret_access_key = SecretText("s"),
                               .session_token = SecretText("t"),
                               .expires = now + 1h};
        },
        [&] { return now; });
    CHECK(provider.current()->access_key_id == "K1");
    now += 50min;
    CHECK(provider.current()->access_key_id == "K1");
    CHECK(load_count == 1);
    now += 6min;  // within the margin
    fails = true;
    CHECK(provider.current()->access_key_id == "K1");
    CHECK(provider.current()->access_key_id == "K1");
    CHECK(load_count == 2);  // not once for each request
    now += CredentialProvider::retry_pause;
    CHECK(provider.current()->access_key_id == "K1");
    CHECK(load_count == 3);
    now += 10min;  // expired
    CHECK(test::kind_of([&] { static_cast<void>(provider.current()); }) == ErrorKind::unavailable);
    fails = false;
    CHECK(provider.current()->access_key_id == "K5");
}

TEST_CASE("many threads that need credentials load them once", "[s3][credentials]") {
    std::atomic<int> load_count{0};
    CredentialProvider provider([&] {
        ++load_count;
        std::this_thread::yield();
        return Credentials{.access_key_id = "K",
                           .secret_access_key = SecretText("s"),
                           .session_token = SecretText()};
    });
    std::atomic<int> wrong_count{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&] {
                for (int k = 0; k < 100; ++k)
                    if (provider.current()->access_key_id != "K") ++wrong_count;
            });
    }
    CHECK(load_count == 1);
    CHECK(wrong_count == 0);
}

TEST_CASE("credentials that the store refuses are loaded anew, once", "[s3][credentials]") {
    int load_count = 0;
    bool is_stuck = true;
    CredentialProvider provider([&] {
        ++load_count;
        return Credentials{.access_key_id = is_stuck ? "old" : "new",
                           .secret_access_key = SecretText("s"),
                           .session_token = SecretText()};
    });
    const auto old = provider.current();
    CHECK_FALSE(provider.replace(*old));
    is_stuck = false;
    CHECK(provider.replace(*old));
    CHECK(load_count == 3);
    CHECK(provider.replace(*old));  // another thread's work is enough
    CHECK(load_count == 3);
    CHECK(provider.current()->access_key_id == "new");
}

TEST_CASE("flat JSON is read strictly", "[s3][json]") {
    CHECK(parse_flat_json(R"( {"a":"b\n\u0041\"", "n": -1.5e3, "t":true, "z":null} )") ==
          FlatJson{{"a", "b\nA\""}});
    CHECK(parse_flat_json("{}")->empty());
    for (const char* text :
         {"", "[]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":\"b\"", "{\"a\":\"b\",}", "{\"a\":{}}",
          "{\"a\":[1]}", "{\"a\":\"b\"}x", "{\"a\":\"b\",\"a\":\"c\"}", "{\"a\":\"\\u00e9\"}",
          "{\"a\":\"\\x\"}", "{\"a\":\"b\nc\"}", "{a:1}"}) {
        INFO(text);
        CHECK_FALSE(parse_flat_json(text));
    }
}
