// Packs: objects of units, back to back (FORMAT.md, section 9).
#pragma once

#include "codec/codec.h"
#include "vault/backup_map.h"
#include "vault/backup_store.h"
#include "vault/container_steps.h"

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace walden::vault {

/// Encoded bytes with which a pack is closed.
inline constexpr std::size_t pack_size_target = std::size_t{16} << 20;

/// Fills one pack after the other with what several threads bring: units of one time lie together,
/// and one buffer is enough. Safe from several threads.
class PackWriter {
public:
    /// Takes a pack that is complete. Called on the thread that filled it, under no lock; waits if
    /// too many are on their way.
    using TakePack = std::function<void(std::string key, Bytes object)>;

    /// `store` must outlive the writer.
    PackWriter(const BackupStore& store, const BackupId& id, TakePack take,
               std::size_t size_target = pack_size_target)
        : store_(store), id_(id), take_(std::move(take)), size_target_(size_target) {}

    struct Place {
        PackRef pack;
        std::uint32_t offset = 0;
    };

    /// Adds the encoded bytes of a unit.
    [[nodiscard]] Place add(ByteView encoded);

    /// Closes the last pack. Nothing may be added afterwards.
    void finish();

    /// How many packs are complete.
    [[nodiscard]] std::uint32_t closed_count();

    /// The encoded sizes of all packs; complete after finish().
    [[nodiscard]] const std::map<std::uint32_t, std::uint64_t>& sizes() const { return sizes_; }

private:
    struct Open {
        std::uint32_t number = 0;
        std::string key;
        ObjectSealer sealer;
    };

    struct Closed {
        std::string key;
        Bytes object;
    };

    void open_pack();
    [[nodiscard]] Closed close_pack();

    const BackupStore& store_;
    BackupId id_;
    TakePack take_;
    std::size_t size_target_;
    std::mutex mutex_;
    std::optional<Open> open_;
    std::uint32_t last_number_ = 0;
    std::map<std::uint32_t, std::uint64_t> sizes_;
};

}  // namespace walden::vault
