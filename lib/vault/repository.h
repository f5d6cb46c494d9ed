// A repository: a store that was proven to be ours, and the keys to it.
#pragma once

#include "crypto/key_bundle.h"
#include "crypto/key_slot.h"
#include "vault/descriptor.h"
#include "vault/keyring.h"
#include "vault/object_storage.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace walden::vault {

/// The newest generation of one key slot.
struct SlotState {
    crypto::SlotHeader header;
    Bytes newest;                   ///< the object itself
    std::vector<std::string> keys;  ///< object keys of all its generations
};

class Repository {
public:
    /// What the caller knows of the repository it wants to open.
    struct Expectation {
        std::optional<crypto::RepositoryId> id;  ///< from the configuration
        bool encryption = true;                  ///< as configured
    };

    /// Gives the secret that unlocks a slot; called only if the repository is encrypted.
    using UnlockSource = std::function<crypto::UnlockSecret()>;

    /// Reads the descriptor and, if the repository is encrypted, the key slot. Throws
    ///   Error(not_found)  the store has no descriptor: unmounted, not initialised, or not ours
    ///   Error(foreign)    another repository than expected, by configuration or by key
    ///   Error(usage)      no slot for this secret; encryption other than configured; newer format
    ///   Error(corrupt)    descriptor or slot damaged
    /// `storage` must outlive the result.
    [[nodiscard]] static Repository open(ObjectStorage& storage, const Expectation& expectation,
                                         const UnlockSource& unlock);

    /// The descriptor alone. nullopt if the store is reachable and holds none.
    [[nodiscard]] static std::optional<Descriptor> read_descriptor(ObjectStorage& storage);

    /// Throws Error(conflict) if the store holds anything but what a creation that was interrupted
    /// leaves: key slots, and the objects of its probe.
    static void require_empty(ObjectStorage& storage);

    /// Makes a repository in an empty store. With encryption, `secret` opens its first slot, which
    /// is durable before the descriptor is. If an interrupted creation left a slot that `secret`
    /// opens, that one is completed: the result has its id instead of descriptor.id. Throws
    /// Error(conflict) if a repository is there already or the store holds other things.
    static Descriptor create(ObjectStorage& storage, const Descriptor& descriptor,
                             const crypto::UnlockSecret* secret, const crypto::NewSlot& slot);

    [[nodiscard]] const Descriptor& descriptor() const { return descriptor_; }

    [[nodiscard]] ObjectStorage& storage() const { return *storage_; }

    /// nullptr if not encrypted.
    [[nodiscard]] const std::shared_ptr<const crypto::KeyBundle>& bundle() const { return bundle_; }

    /// What the opened slot held in each of its generations, oldest first; the last is in force.
    [[nodiscard]] const std::vector<crypto::KeyBundle>& bundles() const { return bundles_; }

    /// The slot that was used to open it, newest generation; nullopt if not encrypted.
    [[nodiscard]] const std::optional<crypto::SlotHeader>& opened_slot() const { return slot_; }

    /// Throws Error(usage) if the key is a put bundle of another cluster.
    [[nodiscard]] ClusterKeyring keyring(const std::string& cluster) const;

private:
    Repository(ObjectStorage& storage, Descriptor descriptor)
        : storage_(&storage), descriptor_(std::move(descriptor)) {}

    void unlock(const crypto::UnlockSecret& secret);

    ObjectStorage* storage_;
    Descriptor descriptor_;
    std::shared_ptr<const crypto::KeyBundle> bundle_;
    std::vector<crypto::KeyBundle> bundles_;
    std::optional<crypto::SlotHeader> slot_;
};

/// All slots, in order of creation. Throws Error(corrupt) naming a slot that is damaged.
[[nodiscard]] std::vector<SlotState> list_slots(ObjectStorage& storage);

/// Stores generation 1 of a slot for `secret`, made with the read bundle `admin`; options.cluster
/// makes it a slot with the put bundle of that cluster. Throws Error(conflict) if the slot exists.
crypto::SlotHeader add_slot(ObjectStorage& storage, const crypto::UnlockSecret& secret,
                            const crypto::KeyBundle& admin, const crypto::NewSlot& options);

struct Rotation {
    std::uint32_t epoch = 0;   ///< the one in force now
    bool was_resumed = false;  ///< an earlier rotation had been interrupted, and is complete now
};

/// What to do with slots that an earlier rotation did not reach. They look the same as one that a
/// former holder, whose slot was removed before that rotation, added with the key he has kept. Only
/// a person can tell.
enum class LeftBehind : std::uint8_t {
    refuse,
    complete,  ///< somebody vouches for every slot in the list: give them the newest epoch
};

/// Makes a new epoch and gives it to every slot that is still there, first to the one that opened
/// `repository`: so whatever is sealed to an epoch can be opened by somebody, wherever a rotation
/// stops. With LeftBehind::complete, finishes an earlier one that was interrupted instead, if there
/// was one. Slots removed before lose access to everything sealed from now on. Throws Error(usage)
/// without a read bundle, Error(denied) naming a slot that no holder of this key made, or not of
/// the epoch before, Error(conflict) if slots were left behind, another rotation is running, or the
/// slot that opened `repository` is gone.
Rotation rotate_keys(const Repository& repository, LeftBehind left_behind = LeftBehind::refuse);

}  // namespace walden::vault
