// Who may write to a cluster's part of the repository: its identity, and the claims on timelines.
#pragma once

#include "base/error.h"
#include "vault/layout.h"
#include "vault/records.h"
#include "vault/sealed_objects.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::vault {

/// The newest generation of a timeline's claims, by its name.
struct NewestClaim {
    std::uint32_t generation = 0;
    std::optional<Claim> claim;  ///< nullopt if the object is damaged
    std::string damage;          ///< how, with the object's key
    /// Of the first generation that is damaged, be it the newest or not.
    std::optional<Error> first_damage;
};

/// All functions are safe to call from several threads and throw as SealedObjects does, plus what
/// decode_claim and decode_identity throw.
class Claims {
public:
    /// Both must outlive it.
    Claims(const SealedObjects& objects, const ClusterLayout& layout)
        : objects_(objects), layout_(layout) {}

    /// The newest claim on a timeline (8 hex digits), nullopt if nobody made one. Throws
    /// Error(corrupt | foreign) if any generation is damaged: for those who look for damage.
    [[nodiscard]] std::optional<Claim> find(std::string_view timeline) const;

    /// As find(), and damage is an answer: for those who must go on (FORMAT.md, section 6).
    [[nodiscard]] std::optional<NewestClaim> find_newest(std::string_view timeline) const;

    /// False if that generation exists already.
    [[nodiscard]] bool put(std::string_view timeline, const Claim& claim) const;

    [[nodiscard]] std::optional<ClusterIdentity> find_identity() const;

    /// False if it exists already.
    [[nodiscard]] bool put_identity(const ClusterIdentity& identity) const;

private:
    const SealedObjects& objects_;
    const ClusterLayout& layout_;
};

}  // namespace walden::vault
