#include "policy/admission/seeking.h"

namespace sallyport::admission {

namespace {
// Replies from which on a train says anything.
constexpr std::uint32_t kLeast = 4;
constexpr Duration kSilence = std::chrono::milliseconds(5);
// What is paced exceeds what is proven by what chance may hide of it.
constexpr double kHeadroom = 1.05;
constexpr double kSpareFlight = 1.1;

void add(Replies& to, const Replies& replies) {
  for (std::size_t k = 0; k < kHandshakes; ++k) {
    to.count[k] += replies.count[k];
    to.server_time_us[k] += replies.server_time_us[k];
  }
}
}  // namespace

void Seeking::granted(std::uint32_t n, Instant now) {
  if (given_ == 0) {
    left_ = now;
    before_ = unanswered_;
    met_ = early_ = inside_ = absent_ = 0;
    train_ = {};
    proven_ = 0;
  }
  given_ += n;
  unanswered_ += n;
}

void Seeking::tick(std::uint32_t in_flight, bool waits) {
  unanswered_ = std::min(unanswered_, in_flight);
  before_ = std::min(before_, unanswered_);
  if (in_flight == 0) size_ = std::min(size_, kFirst);
  if (!waits && given_ > 0) size_ = std::min(size_, given_);  // no more came
}

// From turn to reply, less what the server took.
double Seeking::way_us(const Answers& answers) const {
  double server_us = 0;
  for (const std::uint64_t us : answers.replies.server_time_us)
    server_us += static_cast<double>(us);
  return (answers.reply_us - server_us) / answers.replies.total();
}

// Who was called first is missed first.
void Seeking::came_to_nothing(std::uint32_t n) {
  n = std::min(n, unanswered_);
  unanswered_ -= n;
  const std::uint32_t early = std::min(n, before_);
  before_ -= early;
  absent_ += n - early;
}

void Seeking::learn(const Answers& answers, Instant now) {
  came_to_nothing(answers.absent);
  const std::uint32_t replies = answers.replies.total();
  if (replies == 0) return;
  add(judged_, answers.replies);
  unanswered_ -= std::min(replies, unanswered_);
  const std::uint32_t early = std::min(replies, before_);
  before_ -= early;
  if (since(now) * 1e6 > way_us(answers)) met_ += early;
  if (early == replies) return;
  replied_ = now;
  // Who of these was early is not known.
  add(train_.replies, answers.replies);
  train_.cost += answers.cost;
  train_.reply_us += answers.reply_us;
  early_ += early;
  inside_ = answers.inside - std::min(answers.inside, before_);
  const double ours = train_.replies.total() - early_;
  if (ours < kLeast) return;
  const double s = since(now) - (way_us(train_) - ServerTime::kSlackUs) * 1e-6;
  if (s <= 0) return;
  // What is inside now is half done, and so was what the train met there.
  const double least = ours + met_ * 0.5;
  const double cost = train_.cost / train_.replies.total();
  proven_ = (least + inside_ * 0.5) * cost / s;
  paced_ = std::max(paced_, least / s * kHeadroom);
}

bool Seeking::answered() const {
  const std::uint32_t ours = train_.replies.total() - early_;
  return ours >= kLeast && 2 * ours + absent_ >= size_;
}

bool Seeking::over(Instant now) const {
  const std::uint32_t ours = train_.replies.total() - early_;
  return 2 * inside_ <= ours && (ours + absent_ >= size_ || now - replied_ > kSilence);
}

void Seeking::next_train(std::uint32_t size) {
  size_ = std::clamp(size, std::min(kFirst, most_), most_);
  given_ = 0;
  held_ = false;
}

std::optional<double> Seeking::judge(ServerTime& time, Instant now) {
  if (given_ == 0) return std::nullopt;
  if (!answered()) {
    if (!spent()) return std::nullopt;
    if (judged_.total() < kLeast) {  // the next one's answers are added
      next_train(size_);
      return std::nullopt;
    }
  }
  time.note(judged_);
  if (time.distance(judged_).slowness <= ServerTime::kCongested) {
    next_train(2 * given_);
    judged_ = {};
    return std::nullopt;
  }
  held_ = true;
  if (proven_ > 0 && over(now)) return proven_;
  if (proven_ == 0 && spent()) {  // too few of one train came
    next_train(size_);
    judged_ = {};
  }
  return std::nullopt;
}

double Seeking::window(double flight_s) const {
  return 2.0 * std::max(kFirst, size_) + paced_ * flight_s * kSpareFlight;
}

}  // namespace sallyport::admission
