#include "catalog/problem.h"

namespace walden::catalog {

std::string_view to_string(ProblemKind kind) {
    switch (kind) {
        case ProblemKind::missing: return "missing";
        case ProblemKind::corrupt: return "corrupt";
        case ProblemKind::extra: return "extra";
        case ProblemKind::gap: return "gap";
        case ProblemKind::fork: return "fork";
        case ProblemKind::wal_damaged: return "wal_damaged";
        case ProblemKind::unreadable: return "unreadable";
        case ProblemKind::wal_mismatch: return "wal_mismatch";
    }
    return "unknown";
}

std::optional<ProblemKind> problem_of(const Error& error) {
    if (error.kind() == ErrorKind::usage) return ProblemKind::unreadable;
    if (is_damage(error)) return ProblemKind::corrupt;
    return std::nullopt;
}

}  // namespace walden::catalog
