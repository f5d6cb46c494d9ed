#include "recovery/kept_source.h"

namespace walden::recovery {

std::shared_ptr<Source> KeptSource::provide() {
    const std::lock_guard lock(mutex_);
    if (source_ && is_trusted_ && Clock::now() - opened_at_ <= valid_for_) return source_;
    source_.reset();
    source_ = open_();
    opened_at_ = Clock::now();
    is_trusted_ = true;
    return source_;
}

void KeptSource::distrust() {
    const std::lock_guard lock(mutex_);
    is_trusted_ = false;
}

bool KeptSource::drop_foreign() {
    // Whoever holds it is just opening, for the data directory as it is.
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || !source_ || source_->is_current()) return false;
    source_.reset();
    return true;
}

}  // namespace walden::recovery
