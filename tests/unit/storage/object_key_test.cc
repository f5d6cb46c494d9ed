#include "base/error.h"
#include "vault/object_storage.h"

#include <catch2/catch.hpp>

using namespace walden;
using vault::is_valid_key;

TEST_CASE("a valid key needs characters, components and a length", "[storage][key]") {
    for (const char* key : {"a", "a/b", "a.b", "a..b/c", "-", "a/-_.", "Z9/z0"})
        CHECK(is_valid_key(key));
    for (const char* key :
         {"", "/", "a/", "/a", "a//b", ".", "..", ".a", "a/.b", "a/..", "a b", "a\n"})
        CHECK_FALSE(is_valid_key(key));
    CHECK(is_valid_key(std::string(512, 'x')));
    CHECK_FALSE(is_valid_key(std::string(513, 'x')));
}

TEST_CASE("every single byte is a key exactly if it is in the alphabet", "[storage][key]") {
    const std::string alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/";
    for (int c = 0; c < 256; ++c) {
        const std::string key = std::string("a") + static_cast<char>(c) + "b";
        CHECK(is_valid_key(key) == (alphabet.find(static_cast<char>(c)) != std::string::npos));
    }
}

TEST_CASE("a prefix is valid exactly if some key starts with it", "[storage][key]") {
    using vault::require_valid_prefix;
    for (const std::string& prefix : {std::string(), std::string("a"), std::string("a/"),
                                      std::string("a/b."), std::string(512, 'x')})
        CHECK_NOTHROW(require_valid_prefix(prefix));
    for (const std::string& prefix : {std::string("/"), std::string("a//"), std::string("."),
                                      std::string("a/."), std::string("a/../"), std::string("a b"),
                                      std::string(513, 'x'), std::string(511, 'x') + "/"})
        CHECK_THROWS_AS(require_valid_prefix(prefix), Error);
}

TEST_CASE("the message of a bad key holds no control characters", "[storage][key]") {
    try {
        vault::require_valid_key("a\x1b[31m\n");
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::usage);
        CHECK(error.message() == "invalid object key \"a?[31m?\"");
    }
}
