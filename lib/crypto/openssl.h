// The door to OpenSSL 3.0: owned handles, the algorithms in use, and how a failure is reported.
// Included by the .cc files of this folder only.
#pragma once

#include "base/bytes.h"

#include <openssl/evp.h>

#include <memory>
#include <string_view>

namespace walden::crypto {

template <auto Free>
struct FreeWith {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};

// Each of these zeroes its key material when it goes.
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

/// Initialises the library once, without its configuration file, its error strings and its exit
/// handler. To be called before anything that is not reached through the two functions below.
void start_openssl();

/// Fetched at the first call and never freed: threads may use them until the process ends. A
/// fetch costs 0.2 to 0.4 ms, so a program pays only for what it uses.
const EVP_MD* sha256_algorithm();
const EVP_CIPHER* aes_256_gcm_algorithm();

/// Throws Error(io) that names the operation and OpenSSL's numeric code, and empties its queue.
[[noreturn]] void fail_openssl(std::string_view operation);

/// Drops what OpenSSL queued for a failure that is an expected answer, such as a wrong tag.
void forget_openssl_errors();

inline const unsigned char* raw(ByteView bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

inline unsigned char* raw(MutableByteView bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace walden::crypto
