#include "delivery.h"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <thread>

namespace {

using bench::Arrivals;
using bench::Run;

void post(asio::io_context& context, Arrivals& arrivals, std::size_t events) {
    for (std::size_t i = 0; i != events; ++i)
        asio::post(context, [&arrivals, n = static_cast<int>(i)] { arrivals.arrived(n); });
}

double timePosted(const Run& run) {
    bench::takeSendersProcessor();
    Arrivals arrivals;
    asio::io_context context;
    auto guard = asio::make_work_guard(context);
    std::thread other([&context] {
        bench::takeReceiversProcessor();
        context.run();
    });
    const double each =
        bench::timeBurst(run, arrivals, [&context, &arrivals](std::size_t events) { post(context, arrivals, events); });
    guard.reset();
    other.join();
    return each;
}

double timePostedHere(const Run& run) {
    Arrivals arrivals;
    asio::io_context context;
    return bench::timeTurn(
        run, arrivals, [&context, &arrivals](std::size_t events) { post(context, arrivals, events); },
        [&context] {
            context.restart();
            context.poll();
        });
}

} // namespace

int main(int argc, char** argv) {
    return bench::serve({{"posted_here", timePostedHere}, {"posted", timePosted}}, argc, argv);
}
