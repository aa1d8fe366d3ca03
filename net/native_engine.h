#pragma once

#include "socket_engine.h"

#include <halyard/signals/spare_memory.h>

namespace halyard {

/// The engine that talks to the kernel: a descriptor of its own, and one system call a verb.
class NativeEngine : public SocketEngine, public SpareMemory<NativeEngine> {
  public:
    using SocketEngine::SocketEngine;
    ~NativeEngine() override { NativeEngine::close(false); }

    int descriptor() const noexcept override { return plain_; }
    int openFor(const HostAddress& peer) noexcept override;
    int bindTo(const Endpoint& local) noexcept override;
    int connectTo(const Endpoint& peer) noexcept override;
    int finishConnect() noexcept override;
    int listenAt(const Endpoint& local, int backlog, bool reusePort) override;
    int accept(Endpoint& peer) noexcept override;
    std::ptrdiff_t receive(std::span<std::byte> into) noexcept final;
    std::ptrdiff_t send(std::span<const iovec> from) noexcept override;
    std::ptrdiff_t sendPiece(std::string_view bytes) noexcept final;
    std::ptrdiff_t sendFile(int file, std::int64_t offset, std::size_t length) noexcept override;
    bool splices() const noexcept override { return true; }
    std::ptrdiff_t receiveInto(int pipe) noexcept override;
    std::ptrdiff_t sendFrom(int pipe, std::size_t length) noexcept override;
    void shutdownSend() noexcept override;
    int takeError() noexcept override;
    Endpoint local() const override;
    Endpoint peer() const override;
    void adopt(int descriptor) noexcept override;
    int release() noexcept override;
    void close(bool reset) noexcept override;

  protected:
    int open(int family) noexcept; ///< Makes a descriptor, instead of the one there may be.

  private:
    int openAndBind(const Endpoint& local, bool reuseAddress, bool reusePort) noexcept;
    int bindAndListen(const Endpoint& local, int backlog, bool reusePort) noexcept;

    int family_ = 0; ///< of a descriptor that was made here
};

} // namespace halyard
