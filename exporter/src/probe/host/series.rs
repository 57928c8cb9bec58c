//! The families of the machine.

use vvtv_toolkit::render::{Exposition, Kind, Labels};

use super::{HostView, OwnProcess, ProcessView};

fn one(out: &mut Exposition, name: &str, help: &str, value: f64) {
    out.family(name, help, Kind::Gauge);
    out.sample(&Labels::NONE, value);
}

/// Writes the families of the machine.
pub(crate) fn write(out: &mut Exposition, host: &HostView) {
    if let Some(machine) = host.machine {
        one(out, "vvtv_host_cpu_usage_ratio", "Share of all processors that was busy.", machine.cpu_usage_ratio);
        one(out, "vvtv_host_cpus", "Processors.", machine.cpus as f64);
        out.family("vvtv_host_load_average", "Load average over so many minutes.", Kind::Gauge);
        for (minutes, load) in ["1", "5", "15"].into_iter().zip(machine.load) {
            out.sample(&Labels::new(&[("minutes", minutes)]), load);
        }
        one(out, "vvtv_host_memory_bytes", "Memory.", machine.memory_bytes as f64);
        let available = "Memory that programs can still get.";
        one(out, "vvtv_host_memory_available_bytes", available, machine.memory_available_bytes as f64);
        one(out, "vvtv_host_swap_used_bytes", "Swap in use.", machine.swap_used_bytes as f64);
    }
    let pressure = "Time that some task waited for the resource.";
    out.family("vvtv_host_pressure_waiting_seconds_total", pressure, Kind::Counter);
    for (resource, seconds) in &host.pressure_seconds {
        out.sample(&Labels::new(&[("resource", resource)]), *seconds);
    }
    if let Some(filesystem) = host.filesystem {
        let size = "Size of the filesystem that viewers are served from.";
        one(out, "vvtv_broadcast_filesystem_size_bytes", size, filesystem.size_bytes as f64);
        let available = "Bytes that may still be written to it.";
        one(out, "vvtv_broadcast_filesystem_available_bytes", available, filesystem.available_bytes as f64);
        let files = "Files that may still be made on it.";
        one(out, "vvtv_broadcast_filesystem_free_files", files, filesystem.free_files as f64);
    }
    processes(out, &host.processes);
    if let Some(process) = host.own {
        own(out, process);
    }
}

/// The names that every Prometheus client library uses.
fn own(out: &mut Exposition, process: OwnProcess) {
    out.family("process_cpu_seconds_total", "Processor time used by this program.", Kind::Counter);
    out.sample(&Labels::NONE, process.cpu_seconds);
    one(out, "process_resident_memory_bytes", "Resident memory of this program.", process.resident_bytes as f64);
    one(out, "process_virtual_memory_bytes", "Virtual memory of this program.", process.virtual_bytes as f64);
    one(out, "process_open_fds", "Open file descriptors of this program.", process.open_fds as f64);
    if let Some(max_fds) = process.max_fds {
        one(out, "process_max_fds", "File descriptors that this program may open.", max_fds as f64);
    }
    let start = "Unix time at which this program was started.";
    one(out, "process_start_time_seconds", start, process.start_unix_seconds);
}

fn processes(out: &mut Exposition, processes: &[ProcessView]) {
    let labels: Vec<Labels> = processes.iter().map(|view| Labels::new(&[("process", &view.label)])).collect();
    let mut family = |name: &str, help: &str, kind: Kind, value: fn(&ProcessView) -> Option<f64>| {
        out.family(name, help, kind);
        for (view, labels) in processes.iter().zip(&labels) {
            if let Some(value) = value(view) {
                out.sample(labels, value);
            }
        }
    };
    let up = "1 if a process runs that is neither a zombie nor stopped.";
    family("vvtv_process_up", up, Kind::Gauge, |view| Some(f64::from(u8::from(view.running > view.stopped))));
    family("vvtv_process_running", "Processes that are not zombies.", Kind::Gauge, |view| Some(view.running as f64));
    let stopped = "Processes stopped by a signal.";
    family("vvtv_process_stopped", stopped, Kind::Gauge, |view| Some(view.stopped as f64));
    let zombies = "Dead processes that their parent has not collected.";
    family("vvtv_process_zombies", zombies, Kind::Gauge, |view| Some(view.zombies as f64));
    let cpu = "Processor time used.";
    family("vvtv_process_cpu_seconds_total", cpu, Kind::Counter, |view| Some(view.cpu_seconds));
    let resident = "Resident memory.";
    family("vvtv_process_resident_memory_bytes", resident, Kind::Gauge, |view| Some(view.resident_bytes as f64));
    let fds = "Open file descriptors.";
    family("vvtv_process_open_fds", fds, Kind::Gauge, |view| view.open_fds.map(|count| count as f64));
    family("vvtv_process_threads", "Threads.", Kind::Gauge, |view| Some(view.threads as f64));
    let read = "Bytes read from storage.";
    family("vvtv_process_read_bytes_total", read, Kind::Counter, |view| view.io.map(|io| io.read_bytes));
    let written = "Bytes written to storage.";
    family("vvtv_process_written_bytes_total", written, Kind::Counter, |view| view.io.map(|io| io.written_bytes));
}
