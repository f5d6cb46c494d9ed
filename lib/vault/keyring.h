// The keys of one repository, as far as this process holds them, narrowed to one cluster.
#pragma once

#include "crypto/content_id.h"
#include "crypto/frame_cipher.h"
#include "crypto/key_bundle.h"

#include <memory>
#include <optional>
#include <string>

namespace walden::vault {

/// Everything needed to seal and unseal the objects of one cluster. Immutable, so safe to share
/// between threads.
class ClusterKeyring {
public:
    /// Of a repository without encryption.
    explicit ClusterKeyring(const crypto::RepositoryId& repository) : repository_(repository) {}

    /// Throws Error(usage) if `bundle` is a put bundle of another cluster.
    ClusterKeyring(std::shared_ptr<const crypto::KeyBundle> bundle, const std::string& cluster)
        : repository_(bundle->repository()),
          bundle_(std::move(bundle)),
          keys_(bundle_->keys_of_cluster(cluster)) {}

    [[nodiscard]] const crypto::RepositoryId& repository() const { return repository_; }

    [[nodiscard]] crypto::Suite suite() const {
        return bundle_ ? crypto::Suite::aes_256_gcm : crypto::Suite::none;
    }

    /// nullptr in an unencrypted repository.
    [[nodiscard]] const crypto::KeyBundle* bundle() const { return bundle_.get(); }

    /// Whether contents can be opened here: false on a host that holds the put bundle.
    [[nodiscard]] bool can_read_contents() const {
        return !bundle_ || bundle_->kind() == crypto::BundleKind::read;
    }

    [[nodiscard]] crypto::ContentIdKey content_id_key() const {
        if (!keys_) return std::nullopt;
        return keys_->content_id_key;
    }

    /// Only in an encrypted repository.
    [[nodiscard]] const Secret<32>& metadata_key() const { return keys_->metadata_key; }

private:
    crypto::RepositoryId repository_{};
    std::shared_ptr<const crypto::KeyBundle> bundle_;
    std::optional<crypto::ClusterKeys> keys_;
};

}  // namespace walden::vault
