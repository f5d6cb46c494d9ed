#include "crypto/openssl.h"

#include "base/error.h"
#include "base/format.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

namespace walden::crypto {

void start_openssl() {
    // The configuration file is not ours, costs a read at each start of an archive_command, and
    // could switch providers under us. Error strings are never shown: the code is enough to look
    // one up. Without the exit handler, threads may still compute while the process ends.
    static const bool started =
        OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
                                OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS |
                                OPENSSL_INIT_NO_ATEXIT,
                            nullptr) == 1;
    if (!started) fail_openssl("initialize");
}

const EVP_MD* sha256_algorithm() {
    static const EVP_MD* const algorithm = [] {
        start_openssl();
        const EVP_MD* fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
        if (fetched == nullptr) fail_openssl("fetch SHA-256");
        return fetched;
    }();
    return algorithm;
}

const EVP_CIPHER* aes_256_gcm_algorithm() {
    static const EVP_CIPHER* const algorithm = [] {
        start_openssl();
        const EVP_CIPHER* fetched = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
        if (fetched == nullptr) fail_openssl("fetch AES-256-GCM");
        return fetched;
    }();
    return algorithm;
}

void fail_openssl(std::string_view operation) {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    throw Error(ErrorKind::io,
                format("cryptographic library failed to {} (code {:08X})", operation, code));
}

void forget_openssl_errors() {
    ERR_clear_error();
}

}  // namespace walden::crypto
