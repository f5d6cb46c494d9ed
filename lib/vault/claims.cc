#include "vault/claims.h"

namespace walden::vault {

std::optional<Claim> Claims::find(std::string_view timeline) const {
    auto newest = find_newest(timeline);
    if (!newest) return std::nullopt;
    if (newest->first_damage) throw Error(*newest->first_damage);
    return std::move(newest->claim);
}

std::optional<NewestClaim> Claims::find_newest(std::string_view timeline) const {
    std::optional<NewestClaim> newest;
    std::optional<Error> first_damage;
    for (std::uint32_t generation = 1;; ++generation) {
        const std::string key = layout_.claim_key(timeline, generation);
        NewestClaim found{
            .generation = generation, .claim = std::nullopt, .damage = {}, .first_damage = {}};
        try {
            found.claim =
                objects_.read_record({.kind = ObjectKind::claim, .key = key}, decode_claim);
            if (!found.claim) break;
        } catch (const Error& error) {
            if (!is_damage(error)) throw;
            found.damage = error.message();
            if (!first_damage) first_damage = error;
        }
        newest = std::move(found);
    }
    if (newest) newest->first_damage = std::move(first_damage);
    return newest;
}

bool Claims::put(std::string_view timeline, const Claim& claim) const {
    const std::string key = layout_.claim_key(timeline, claim.generation);
    return objects_.put_record({.kind = ObjectKind::claim, .key = key}, encode_claim(claim)) ==
           ObjectStorage::PutOutcome::created;
}

std::optional<ClusterIdentity> Claims::find_identity() const {
    const std::string key = layout_.identity_key();
    return objects_.read_record({.kind = ObjectKind::identity, .key = key}, decode_identity);
}

bool Claims::put_identity(const ClusterIdentity& identity) const {
    const std::string key = layout_.identity_key();
    return objects_.put_record({.kind = ObjectKind::identity, .key = key},
                               encode_identity(identity)) == ObjectStorage::PutOutcome::created;
}

}  // namespace walden::vault
