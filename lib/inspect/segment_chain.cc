#include "inspect/segment_chain.h"

#include "base/error.h"
#include "base/format.h"
#include "wal/segment_identity.h"
#include "wal/stored_facts.h"

namespace walden::inspect {

using catalog::problem_of;
using catalog::ProblemKind;

ChainLink SegmentChain::follow(const wal::SegmentName& name) {
    const bool is_next = before_ && wal::next(*before_) == name;
    const std::optional<wal::SegmentCarry> carry_in = is_next ? carry_ : std::nullopt;
    carry_ = carry_in;
    ChainLink link = examine(name);
    if (!link.problems.empty()) {
        // A second look, so that a read that failed once, or a push in between, raises no alarm.
        carry_ = carry_in;
        link = examine(name);
    }
    before_ = name;
    return link;
}

ChainLink SegmentChain::examine(const wal::SegmentName& name) {
    ChainLink link;
    const std::string text = to_string(name, settings_.segment_size);
    const std::string key = vault_.layout().segment_key(text);
    const auto problem = [&](ProblemKind kind, std::string message) {
        link.problems.push_back({.kind = kind, .object = key, .message = std::move(message)});
    };
    try {
        auto stored = vault_.entries().find(key);
        if (!stored) {  // expired since it was listed
            carry_.reset();
            return link;
        }
        link.entry = std::move(stored->entry);
        const vault::Entry& entry = *link.entry;
        if (entry.file_name != text || entry.kind != vault::FileKind::segment ||
            entry.system_identifier != settings_.system_identifier) {
            problem(ProblemKind::corrupt, format("entry names {} of cluster {}", entry.file_name,
                                                 entry.system_identifier));
            carry_.reset();
            return link;
        }
        check_predecessor(key, entry, link);
        if (settings_.reads_contents) {
            vault_.contents().read(entry, bytes_);
            check_wal(key, name, entry, link);
        } else if (!vault_.contents().has(entry)) {
            problem(ProblemKind::missing, format("content of {} is missing", text));
        }
    } catch (const Error& error) {
        const auto kind = problem_of(error);
        if (!kind) throw;
        problem(*kind, error.message());
        carry_.reset();
    }
    return link;
}

void SegmentChain::check_predecessor(const std::string& key, const vault::Entry& entry,
                                     ChainLink& link) const {
    if (!entry.predecessor) return;
    const std::string before_key = vault_.layout().segment_key(entry.predecessor->file_name);
    std::optional<vault::StoredEntry> before;
    try {
        before = vault_.entries().find(before_key);
    } catch (const Error& error) {
        if (!problem_of(error)) throw;
        return;  // reported where that segment itself is checked
    }
    if (!before) {
        link.problems.push_back({.kind = ProblemKind::missing,
                                 .object = before_key,
                                 .message = format("{} is missing; {} was archived after it",
                                                   entry.predecessor->file_name, entry.file_name)});
    } else if (before->entry.content_id != entry.predecessor->content_id) {
        link.problems.push_back(
            {.kind = ProblemKind::fork,
             .object = key,
             .message = format("{} was archived after another {} than the one that is there",
                               entry.file_name, entry.predecessor->file_name)});
    }
}

void SegmentChain::check_wal(const std::string& key, const wal::SegmentName& name,
                             const vault::Entry& entry, ChainLink& link) {
    const auto problem = [&](ProblemKind kind, std::string message) {
        link.problems.push_back({.kind = kind, .object = key, .message = std::move(message)});
    };
    const auto mismatch =
        wal::check_segment_identity(bytes_, {.name = name,
                                             .segment_size = settings_.segment_size,
                                             .system_identifier = settings_.system_identifier,
                                             .major_version = std::nullopt});
    if (mismatch) {
        problem(ProblemKind::corrupt, mismatch->text);
        carry_.reset();
        return;
    }
    const std::optional<wal::SegmentCarry> carry_in = std::move(carry_);
    const wal::SegmentReport report =
        wal::read_segment({.bytes = bytes_,
                           .name = name,
                           .segment_size = settings_.segment_size,
                           .system_identifier = settings_.system_identifier,
                           .carry_in = carry_in ? &*carry_in : nullptr});
    link.plain_bytes = bytes_.size();
    link.record_count = report.facts.record_count;
    carry_ = report.carry_out;
    if (report.is_complete()) return;

    const auto facts = wal::decode_facts(entry.facts);
    const bool was_known = facts && facts->is_damaged();
    problem(was_known ? ProblemKind::wal_damaged : ProblemKind::wal_mismatch,
            format("WAL {} at {}: {}",
                   was_known ? "was damaged already when it was archived,"
                             : "does not continue the segment before,",
                   to_string(report.stopped_at), report.reason));
}

}  // namespace walden::inspect
