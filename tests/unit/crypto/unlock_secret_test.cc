#include "crypto/unlock_secret.h"

#include "crypto_test.h"

using namespace walden;
using namespace walden::crypto;

namespace {

std::string key_line(const UnlockSecret& secret) {
    std::string line(as_text(secret.to_key_text()));
    REQUIRE(line.back() == '\n');
    line.pop_back();
    return line;
}

bool is_same_key(const UnlockSecret& a, const UnlockSecret& b) {
    return a.slot_id() == b.slot_id() && a.source() == b.source() &&
           equal(a.unlock_key({}, {}).view(), b.unlock_key({}, {}).view());
}

std::string upper(std::string text) {
    for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return text;
}

/// The failure's whole text; empty if the key text is accepted.
std::string refusal(const std::string& text) {
    const auto error = error_of([&] { (void)UnlockSecret::from_key_text(text); });
    if (!error) return "";
    CHECK(error->kind() == ErrorKind::usage);
    return error->message() + error->detail() + error->hint();
}

}  // namespace

TEST_CASE("key text round trips in any case, among comments and blanks", "[crypto][key_text]") {
    const UnlockSecret secret = UnlockSecret::make_random_key();
    const std::string line = key_line(secret);
    CHECK(line.size() == 119);
    for (const std::string& text :
         {line, line + "\n", "# for db1\n\n  \t" + line + " \r\n\n# end", upper(line),
          "wAlDeN-kEy-1" + line.substr(12), "#" + line + "\n" + line})
        CHECK(is_same_key(UnlockSecret::from_key_text(text), secret));
}

TEST_CASE("every mistyped character of a key line is found", "[crypto][key_text]") {
    const std::string line = key_line(UnlockSecret::make_random_key());
    for (std::size_t i = 0; i < line.size(); ++i)
        for (const char typed : std::string_view("0123456789abcdefgWX -_.#l")) {
            std::string text = line;
            if (upper(std::string(1, typed)) == upper(text.substr(i, 1))) continue;
            text[i] = typed;
            INFO("position " << i);
            CHECK_FALSE(refusal(text).empty());
        }
}

TEST_CASE("swapped neighbours and lines cut anywhere are found", "[crypto][key_text]") {
    const std::string line = key_line(UnlockSecret::make_random_key());
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
        std::string text = line;
        if (text[i] == text[i + 1]) continue;
        std::swap(text[i], text[i + 1]);
        CHECK_FALSE(refusal(text).empty());
    }
    for (std::size_t size = 0; size < line.size(); ++size)
        CHECK_FALSE(refusal(line.substr(0, size)).empty());
    CHECK_FALSE(refusal(line + "0").empty());
}

TEST_CASE("a refusal names the line and shows nothing of it", "[crypto][key_text]") {
    // (invariant 38)
    const std::string line = key_line(UnlockSecret::make_random_key());
    std::string mistyped = line;
    mistyped[60] = mistyped[60] == '0' ? '1' : '0';
    for (const std::string& bad : {mistyped, line.substr(0, 100), line + line.substr(13),
                                   line.substr(13), std::string("hunter2 is my password")}) {
        const std::string text = refusal("# comment\n\n" + bad);
        CHECK(text.find("line 3") != std::string::npos);
        for (std::size_t i = 20; i + 6 <= bad.size(); ++i)
            CHECK(text.find(bad.substr(i, 6)) == std::string::npos);
        CHECK(text.find("hunter2") == std::string::npos);
    }
    CHECK(refusal(mistyped).find("typing mistake") != std::string::npos);
    CHECK(refusal("# nothing\n").find("no key line") != std::string::npos);
    CHECK(refusal(line + "\n" + line).find("line 2") != std::string::npos);
}

TEST_CASE("an empty passphrase is refused", "[crypto][key_text]") {
    CHECK(kind_of([] { (void)UnlockSecret::from_passphrase(""); }) == ErrorKind::usage);
}

TEST_CASE("the unlock key of a passphrase depends on passphrase, salt and cost",
          "[crypto][key_text]") {
    const ScryptCost cheap{.n = 1 << 10, .r = 1, .p = 1};
    const auto key = [](const char* passphrase, std::string_view salt, const ScryptCost& cost) {
        return to_hex(
            UnlockSecret::from_passphrase(passphrase).unlock_key(cost, as_bytes(salt)).view());
    };
    const std::string expected = key("a", "salt", cheap);
    CHECK(key("a", "salt", cheap) == expected);
    CHECK(key("b", "salt", cheap) != expected);
    CHECK(key("a", "tlas", cheap) != expected);
    CHECK(key("a", "salt", {.n = 1 << 11, .r = 1, .p = 1}) != expected);
}

TEST_CASE("an assigned or moved secret is the same secret", "[crypto][key_text]") {
    UnlockSecret a = UnlockSecret::make_random_key();
    const UnlockSecret copy = a;
    UnlockSecret b = UnlockSecret::from_passphrase("x");
    b = std::move(a);
    CHECK(is_same_key(b, copy));
}
