#include "crypto/signature.h"

#include "base/random.h"
#include "crypto/openssl.h"

namespace walden::crypto {

namespace {

Key load_secret_key(const Ed25519SecretKey& secret_key) {
    start_openssl();
    Key key(EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, raw(secret_key.view()),
                                            secret_key.size));
    if (key == nullptr) fail_openssl("load an Ed25519 key");
    return key;
}

DigestContext make_context() {
    DigestContext context(EVP_MD_CTX_new());
    if (context == nullptr) fail_openssl("make a signature context");
    return context;
}

}  // namespace

Ed25519PublicKey ed25519_public_key(const Ed25519SecretKey& secret_key) {
    const Key key = load_secret_key(secret_key);
    Ed25519PublicKey public_key{};
    std::size_t size = public_key.size();
    if (EVP_PKEY_get_raw_public_key(key.get(), raw(MutableByteView(public_key)), &size) != 1 ||
        size != public_key.size())
        fail_openssl("compute an Ed25519 public key");
    return public_key;
}

Ed25519KeyPair make_ed25519_key_pair() {
    Ed25519KeyPair pair;
    fill_random(pair.secret_key.writable());
    pair.public_key = ed25519_public_key(pair.secret_key);
    return pair;
}

Ed25519Signature sign(const Ed25519SecretKey& key, ByteView message) {
    const Key loaded = load_secret_key(key);
    const DigestContext context = make_context();
    Ed25519Signature signature{};
    std::size_t size = signature.size();
    if (EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, loaded.get(),
                              nullptr) != 1 ||
        EVP_DigestSign(context.get(), raw(MutableByteView(signature)), &size, raw(message),
                       message.size()) != 1 ||
        size != signature.size())
        fail_openssl("sign");
    return signature;
}

bool verify_signature(const Ed25519PublicKey& key, ByteView message, ByteView signature) {
    if (signature.size() != sizeof(Ed25519Signature)) return false;
    start_openssl();
    const Key loaded(
        EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, raw(key), key.size()));
    if (loaded == nullptr) fail_openssl("load an Ed25519 public key");
    const DigestContext context = make_context();
    if (EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, loaded.get(),
                                nullptr) != 1)
        fail_openssl("prepare to verify a signature");
    if (EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(message),
                         message.size()) == 1)
        return true;
    forget_openssl_errors();
    return false;
}

}  // namespace walden::crypto
