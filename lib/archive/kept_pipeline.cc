#include "archive/kept_pipeline.h"

namespace walden::archive {

bool KeptPipeline::is_due() {
    const std::lock_guard lock(mutex_);
    return !pipeline_ || !is_trusted_ || Clock::now() - opened_at_ > valid_for_;
}

void KeptPipeline::close() {
    std::unique_ptr<Pipeline> old;
    {
        const std::lock_guard lock(mutex_);
        old = std::move(pipeline_);
    }
    old.reset();
    archive_.reset();
}

void KeptPipeline::open() {
    close();
    archive_ = open_();
    auto opened = std::make_unique<Pipeline>(archive_->vault(), archive_->state(),
                                             archive_->settings(), options_, deliver_);
    opened_at_ = Clock::now();
    failure_count_ = 0;
    const std::lock_guard lock(mutex_);
    pipeline_ = std::move(opened);
    is_trusted_ = true;
}

void KeptPipeline::begin_again() {
    failure_count_ = pipeline_ ? pipeline_->failure_count() : 0;
}

bool KeptPipeline::submit(FileSource source) {
    return pipeline_->submit(std::move(source), failure_count_);
}

void KeptPipeline::distrust() {
    const std::lock_guard lock(mutex_);
    is_trusted_ = false;
}

std::size_t KeptPipeline::memory_in_use() {
    const std::lock_guard lock(mutex_);
    return pipeline_ ? pipeline_->memory_in_use() : 0;
}

}  // namespace walden::archive
