#include "crypto/x25519.h"

#include "base/random.h"
#include "crypto/kdf.h"
#include "crypto/openssl.h"

namespace walden::crypto {

namespace {

Key load_secret_key(const X25519SecretKey& secret_key) {
    start_openssl();
    Key key(EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", nullptr, raw(secret_key.view()),
                                            secret_key.size));
    if (key == nullptr) fail_openssl("load an X25519 key");
    return key;
}

}  // namespace

X25519KeyPair make_x25519_key_pair() {
    // Any 32 bytes are a secret key; those from the kernel spare OpenSSL's generator its start.
    X25519KeyPair pair;
    fill_random(pair.secret_key.writable());
    pair.public_key = x25519_public_key(pair.secret_key);
    return pair;
}

X25519PublicKey x25519_public_key(const X25519SecretKey& secret_key) {
    const Key key = load_secret_key(secret_key);
    X25519PublicKey public_key{};
    std::size_t size = public_key.size();
    if (EVP_PKEY_get_raw_public_key(key.get(), raw(MutableByteView(public_key)), &size) != 1 ||
        size != public_key.size())
        fail_openssl("compute an X25519 public key");
    return public_key;
}

bool x25519_agree(const X25519SecretKey& secret_key, const X25519PublicKey& public_key,
                  Secret<32>& out) {
    const Key own = load_secret_key(secret_key);
    const Key peer(EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, raw(public_key),
                                                  public_key.size()));
    if (peer == nullptr) fail_openssl("load an X25519 public key");
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr));
    if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
        EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1)
        fail_openssl("prepare a key agreement");
    std::size_t size = out.size;
    const bool derived = EVP_PKEY_derive(context.get(), raw(out.writable()), &size) == 1;
    // OpenSSL fails for an all-zero result; RFC 9180, 7.1.4 asks the caller to make sure.
    const Secret<32> zero;
    if (derived && size == out.size && !equal_in_constant_time(out.view(), zero.view()))
        return true;
    forget_openssl_errors();
    out.clear();
    return false;
}

}  // namespace walden::crypto
