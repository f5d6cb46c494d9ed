// Apart from the rest of UnlockSecret, because it needs OpenSSL: a program that only reads its
// configuration does without.
#include "crypto/unlock_secret.h"

namespace walden::crypto {

Secret<32> UnlockSecret::unlock_key(const ScryptCost& cost, ByteView salt) const {
    if (source_ == SlotSource::random_key) return key_;
    return scrypt(as_text(passphrase_), salt, cost);
}

}  // namespace walden::crypto
