#include "base/sha256.h"

#include <catch2/catch.hpp>

using namespace walden;

namespace {

std::string sha256_of(ByteView bytes) {
    Sha256 hash;
    hash.update(bytes);
    return to_hex(hash.finish());
}

}  // namespace

TEST_CASE("SHA-256 gives the digests of FIPS 180-4", "[base][sha256]") {
    CHECK(sha256_of({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_of(as_bytes("abc")) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256_of(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(sha256_of(as_bytes(std::string(1'000'000, 'a'))) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on how the message is cut", "[base][sha256]") {
    const std::string text(300, 'x');
    for (std::size_t size = 0; size < text.size(); ++size)
        for (const std::size_t piece : {std::size_t{1}, std::size_t{63}, std::size_t{65}}) {
            const ByteView message = as_bytes(text).first(size);
            Sha256 hash;
            for (std::size_t at = 0; at < size; at += piece)
                hash.update(message.subspan(at, std::min(piece, size - at)));
            if (to_hex(hash.finish()) != sha256_of(message)) FAIL_CHECK(size << " by " << piece);
        }
}
