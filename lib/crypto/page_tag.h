// Tags of pages: what tells whether a page is the one that was backed up (lib/vault/FORMAT.md,
// section 9).
//
//   tag = GMAC: AES-256-GCM's tag of no plain text, the page as additional data, a nonce of zeros
//
// The same page always has the same tag, so the nonce is the same each time. That is a keyed
// universal hash and nothing more: whoever sees two tags can forge a third, so tags are only kept
// sealed. HMAC-SHA-256 of all data would be the largest item of a backup's CPU time, 0.55 s/GiB.
#pragma once

#include "base/bytes.h"
#include "base/secret.h"

#include <array>
#include <memory>

namespace walden::crypto {

using PageTag = std::array<std::byte, 16>;

/// One key; its schedule is computed once. One thread at a time.
class PageTagger {
public:
    explicit PageTagger(const Secret<32>& key);
    PageTagger(PageTagger&&) noexcept;
    PageTagger& operator=(PageTagger&&) noexcept;
    ~PageTagger();

    /// Throws Error(io) if OpenSSL fails.
    [[nodiscard]] PageTag tag(ByteView page);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace walden::crypto
