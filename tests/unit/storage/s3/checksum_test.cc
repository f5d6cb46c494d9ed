#include "storage/s3/checksum.h"

#include "storage/http/http.h"
#include "storage/http/timestamps.h"

#include <catch2/catch.hpp>

using namespace walden;
using namespace walden::storage;
using namespace walden::storage::s3;

TEST_CASE("crc64nvme gives the check value of its polynomial, in pieces too", "[s3][checksum]") {
    CHECK(crc64nvme(as_bytes("123456789")) == 0xAE8B14860A799888U);
    CHECK(crc64nvme({}) == 0);
    const std::string text = "The quick brown fox jumps over the lazy dog, twice or more often";
    for (std::size_t cut = 0; cut <= text.size(); ++cut)
        CHECK(crc64nvme(as_bytes(text).subspan(cut), crc64nvme(as_bytes(text).first(cut))) ==
              crc64nvme(as_bytes(text)));
}

TEST_CASE("base64 gives RFC 4648's answers", "[s3][checksum]") {
    CHECK(encode_base64({}).empty());
    CHECK(encode_base64(as_bytes("f")) == "Zg==");
    CHECK(encode_base64(as_bytes("fo")) == "Zm8=");
    CHECK(encode_base64(as_bytes("foo")) == "Zm9v");
    CHECK(encode_base64(as_bytes("foobar")) == "Zm9vYmFy");
    CHECK(encode_base64(as_bytes("\xFF\xFE")) == "//4=");
}

TEST_CASE("a checksum header holds the big-endian number", "[s3][checksum]") {
    CHECK(checksum_value(Checksum::crc32c, as_bytes("123456789")) == "4waSgw==");
    CHECK(checksum_value(Checksum::crc64nvme, as_bytes("123456789")) == "rosUhgp5mIg=");
    CHECK(checksum_value(Checksum::none, as_bytes("123456789")).empty());
}

TEST_CASE("times are read as the services write them", "[s3][time]") {
    CHECK(parse_iso_time("2013-05-24T00:00:00Z") ==
          std::chrono::system_clock::from_time_t(1369353600));
    CHECK(parse_iso_time("2013-05-24T00:00:00.123Z") == parse_iso_time("2013-05-24T00:00:00Z"));
    CHECK(parse_iso_time("2013-05-24T00:00:00+00:00") == parse_iso_time("2013-05-24T00:00:00Z"));
    CHECK(iso_time(*parse_iso_time("2026-02-28T23:59:59Z")) == "2026-02-28T23:59:59Z");
    for (const char* text :
         {"", "2013-05-24", "2013-05-24 00:00:00Z", "2013-05-24T00:00:00", "2013-13-24T00:00:00Z",
          "2013-05-24T25:00:00Z", "9999-05-24T00:00:00Z", "2013-05-24T00:00:00+02:00", "x"}) {
        INFO(text);
        CHECK_FALSE(parse_iso_time(text).has_value());
    }
}

TEST_CASE("Retry-After is read as seconds or a date, within a day (fault 3)", "[s3][http]") {
    const auto delay_of = [](const std::string& value) {
        return retry_after_of(
            {.status = 503,
             .headers = {{"date", "Sun, 22 Nov 2026 10:00:00 GMT"}, {"retry-after", value}},
             .body = {}});
    };
    using namespace std::chrono_literals;
    CHECK(delay_of("120") == 120s);
    CHECK(delay_of("0") == 0s);
    CHECK(delay_of("99999999999") == 24h);
    CHECK(delay_of("Sun, 22 Nov 2026 10:00:30 GMT") == 30s);
    CHECK(delay_of("Sun, 22 Nov 2026 09:00:00 GMT") == 0s);
    CHECK(delay_of("Sun, 22 Nov 2026 10:00:30 GMT").has_value());
    CHECK_FALSE(delay_of("soon").has_value());
    CHECK_FALSE(delay_of("").has_value());
    CHECK_FALSE(retry_after_of({}).has_value());
}
