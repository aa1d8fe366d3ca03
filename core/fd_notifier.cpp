#include <halyard/core/fd_notifier.h>

#include <halyard/core/fd_watcher.h>
#include <halyard/core/log.h>

#include <algorithm>
#include <memory>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

namespace halyard {

/// The notifiers of one descriptor, which a loop watches once.
class NotifierHub final : public FdWatcher {
  public:
    /// 0, or the errno of what failed.
    static int join(FdNotifier& notifier) {
        std::unique_ptr<NotifierHub>& hub = hubs()[notifier.descriptor_];
        if (hub == nullptr)
            hub = std::make_unique<NotifierHub>(notifier.descriptor_);
        hub->members_.push_back(&notifier);
        if (const int error = hub->update(); error != 0) {
            leave(notifier);
            return error;
        }
        return 0;
    }

    static void leave(FdNotifier& notifier) noexcept {
        const auto found = hubs().find(notifier.descriptor_);
        if (found == hubs().end())
            return;
        NotifierHub& hub = *found->second;
        std::replace(hub.members_.begin(), hub.members_.end(), &notifier, static_cast<FdNotifier*>(nullptr));
        if (hub.inDispatch_)
            hub.narrow();
        else
            hub.tidy();
    }

    explicit NotifierHub(int descriptor) : descriptor_(descriptor) {}

    /// The thread ends before its notifiers do.
    ~NotifierHub() override {
        for (FdNotifier* each : members_)
            if (each != nullptr)
                each->enabled_ = false;
    }

  private:
    static std::unordered_map<int, std::unique_ptr<NotifierHub>>& hubs() {
        static thread_local std::unordered_map<int, std::unique_ptr<NotifierHub>> all;
        return all;
    }

    std::uint32_t wanted() const noexcept {
        std::uint32_t interest = readiness::None;
        for (const FdNotifier* each : members_)
            if (each != nullptr)
                interest |= each->type_ == FdNotifier::Read ? readiness::Readable : readiness::Writable;
        return interest;
    }

    int update() { return isWatching() ? setInterest(wanted()) : watch(descriptor_, wanted()); }

    /// Watches what is still wanted. At once, during a dispatch too: the descriptor may be closed next, and its number
    /// may come again as another's.
    void narrow() noexcept {
        if (const std::uint32_t interest = wanted(); interest != readiness::None)
            setInterest(interest);
        else
            unwatch();
    }

    /// May end the hub.
    void tidy() noexcept {
        std::erase(members_, nullptr);
        if (members_.empty())
            hubs().erase(descriptor_);
        else
            narrow();
    }

    void dispatch() override {
        std::uint32_t ready = takeReady();
        if ((ready & readiness::Error) != 0)
            ready = readiness::Readable | readiness::Writable;
        struct Scope {
            NotifierHub& hub;
            explicit Scope(NotifierHub& its) noexcept : hub(its), outermost(!its.inDispatch_) {
                hub.inDispatch_ = true;
            }
            Scope(const Scope&) = delete;
            Scope& operator=(const Scope&) = delete;
            ~Scope() {
                if (!outermost)
                    return;
                hub.inDispatch_ = false;
                hub.tidy();
            }
            bool outermost;
        };
        const Scope scope(*this);
        for (std::size_t i = 0, count = members_.size(); i != count; ++i) {
            FdNotifier* const each = members_[i];
            const std::uint32_t its = each == nullptr                   ? readiness::None
                                      : each->type_ == FdNotifier::Read ? readiness::Readable
                                                                        : readiness::Writable;
            if ((ready & its) != 0)
                each->activated(descriptor_);
        }
    }

    int descriptor_;
    std::vector<FdNotifier*> members_; ///< null where one left during a dispatch
    bool inDispatch_ = false;
};

FdNotifier::FdNotifier(int descriptor, Type type, Object* parent)
    : Object(parent), descriptor_(descriptor), type_(type) {
    setEnabled(true);
}

FdNotifier::~FdNotifier() {
    if (enabled_)
        NotifierHub::leave(*this);
}

bool FdNotifier::setEnabled(bool enabled) {
    if (enabled == enabled_)
        return true;
    if (!isOnItsThread("FdNotifier::setEnabled()"))
        return false;
    if (!enabled) {
        enabled_ = false;
        NotifierHub::leave(*this);
        return true;
    }
    join();
    return enabled_;
}

void FdNotifier::join() {
    const int error = NotifierHub::join(*this);
    enabled_ = error == 0;
    if (error != 0)
        logMessage(LogLevel::Warning, "halyard.core",
                   "FdNotifier: cannot watch descriptor " + std::to_string(descriptor_) + ": " +
                       std::generic_category().message(error));
}

void FdNotifier::leavingThread() {
    if (enabled_)
        NotifierHub::leave(*this);
}

void FdNotifier::enteredThread() {
    if (enabled_)
        join();
}

} // namespace halyard
