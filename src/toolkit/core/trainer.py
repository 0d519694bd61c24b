"""The one loop: step, evaluate, checkpoint, stop. It does not know what it trains."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from toolkit.core import checkpoint, saved
from toolkit.core.config import RunConfig
from toolkit.core.distributed import Ranks
from toolkit.core.errors import (
    CancelledRunError,
    ConfigError,
    DivergedError,
    InterruptedRunError,
    RunError,
    ToolkitError,
)
from toolkit.core.progress import Progress, Silent
from toolkit.core.run import Run
from toolkit.core.run_report import write_report
from toolkit.core.stopping import Stopping
from toolkit.core.task import Recording, Task
from toolkit.core.tensorboard import TensorBoard
from toolkit.core.trainer_memory import Memory

_HEARTBEAT_S = 5.0
_log = logging.getLogger(__name__)


class Trainer:
    """Drives a task through a run, from its newest checkpoint to its end.

    Args:
        run: where everything is written.
        settings: cadence, budget and monitor.
        max_time_s: stop (resumable, with a result) after this many seconds of this call.
        ranks: this process among those that train together; only the main one writes.
        progress: who is told.
    """

    def __init__(
        self,
        run: Run,
        settings: RunConfig,
        *,
        max_time_s: float | None = None,
        ranks: Ranks | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.run, self.settings, self.max_time_s = run, settings, max_time_s
        self.ranks = ranks or Ranks()
        self.progress = progress if progress and self.ranks.is_main else Silent()
        self._memory = Memory()
        self._step = 0
        self._saved_step: int | None = None
        self._stop = Stopping(lambda: self._interruption(self._saved_step), self.ranks.world == 1)
        wanted = settings.tensorboard and self.ranks.is_main
        self._board = TensorBoard(run.path / "tensorboard") if wanted else None

    def fit(self, task: Task) -> dict[str, Any] | None:
        """Train to the end, the time limit or a signal; returns the result (main process only).

        The caller holds the run's lock, since before it built ``task``.

        Raises:
            DivergedError: a step gave NaN or infinity; the last checkpoint stays.
            InterruptedRunError: SIGTERM or SIGINT came; the run is saved and resumable.
            RunError: the run's checkpoints are damaged, gone or cannot be written.
        """
        if not self.ranks.is_main:
            with self._stop.heeded():
                self._loop(task, self._restore(task))
            return None
        with self._stop.heeded():
            step = self._restore(task)
            try:
                self._tell("running", step)
                self.progress.start(step, self.settings.steps)
                step, stopped_by = self._loop(task, step)
                return self._finish(task, step, stopped_by)
            except InterruptedRunError:
                raise
            except Exception as error:
                if self._stop.is_left:
                    raise self._interruption(self._saved_step) from error
                self._record_failure(error)
                raise
            finally:
                self.progress.stop()

    def _restore(self, task: Task) -> int:
        found, step = saved.newest(self.run), 0
        if found is not None:
            self._saved_step, state = found
            step = self._saved_step
            self._memory = self._take(task.load_state_dict, state)
        self._step = step
        if self.ranks.is_main:
            # Those after it are damaged: nothing may be linked from them or give way to them.
            folder = self.run.checkpoints
            checkpoint.prune(folder, [one for one in checkpoint.steps(folder) if one <= step])
            self.run.truncate_metrics(step)
            if found is not None:
                self.progress.note(f"resumed at step {step}")
        return step

    def _take(self, load: Callable[[Mapping[str, Any]], None], state: Mapping[str, Any]) -> Memory:
        try:
            memory = Memory(**state["trainer"])
            load({key: part for key, part in state.items() if key != "trainer"})
            return memory
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            what = f"the checkpoint does not fit this run: {error}".splitlines()[0]
            hint = "resume it with the version that made it, or start a new run"
            raise RunError(what, where=str(self.run.checkpoints), hint=hint) from error

    def _loop(self, task: Task, step: int) -> tuple[int, str]:
        began = beat = kept = time.monotonic()
        while not self._over(task, step):
            if self._exhausted():
                self._save(task, step)
                return step, "patience"
            stepped = time.monotonic()
            figures = task.step(step)
            now = time.monotonic()
            self._memory.trained_s += now - stepped  # evaluations and checkpoints do not count
            self._guard(figures, step)
            step += 1
            self._step = step
            self._memory.add(figures)
            self.progress.update(step, figures)
            better = self._evaluate(task, step) if self._evaluation_due(task, step) else False
            stopping = self._stop_reason(now - began)
            if better or stopping or now - kept >= self.settings.checkpoint_every_s:
                self._save(task, step)
                kept = now
            if stopping == "signal":
                raise self._interruption(step)
            if stopping and not self._over(task, step):
                return step, stopping
            if self.ranks.is_main and now - beat >= _HEARTBEAT_S:
                self._tell("running", step)
                beat = now
        self._save(task, step)
        return step, "done"

    def _over(self, task: Task, step: int) -> bool:
        return step >= self.settings.steps or task.done(step)

    def _exhausted(self) -> bool:
        patience = self.settings.patience
        return patience is not None and self._memory.stale >= patience

    def _guard(self, figures: Mapping[str, float], step: int) -> None:
        bad = {key: value for key, value in figures.items() if not math.isfinite(value)}
        if bad:
            named = ", ".join(f"{key} = {value}" for key, value in bad.items())
            raise DivergedError(
                f"training diverged: {named}",
                where=f"{self.run.path}, step {step}",
                hint="lower the learning rate; the last good checkpoint is kept",
            )

    def _evaluation_due(self, task: Task, step: int) -> bool:
        return self._over(task, step) or step % self.settings.evaluate_every == 0

    def _evaluate(self, task: Task, step: int) -> bool:
        metrics = task.evaluate(step)
        line = {"step": step, **self._memory.means(), **metrics}
        better = self._compare(metrics, step)
        if self.ranks.is_main:
            line |= {"time_s": round(self._memory.trained_s, 3)}
            self.run.log_metrics(line)
            if self._board is not None:
                self._board.log(line)
            self.progress.update(step, metrics)
        return better

    def _compare(self, metrics: Mapping[str, float], step: int) -> bool:
        monitor = self.settings.monitor
        if monitor is None:
            return False
        if monitor not in metrics:
            known = ", ".join(metrics)
            raise ConfigError(
                f"no metric {monitor!r} to monitor", where="monitor", hint=f"one of {known}"
            )
        return self._memory.is_better(float(metrics[monitor]), step, self.settings.monitor_mode)

    def _stop_reason(self, elapsed_s: float) -> str | None:
        if self.ranks.any(self._stop.number is not None):
            return "signal"
        late = self.max_time_s is not None and elapsed_s >= self.max_time_s
        return "max_time" if self.ranks.any(late) else None

    def _save(self, task: Task, step: int) -> None:
        if not self.ranks.is_main or step == self._saved_step:
            return
        folder, self._stop.phase = self.run.checkpoints, "save"
        checkpoint.save(folder, step, {**task.state_dict(), "trainer": asdict(self._memory)})
        newest = checkpoint.steps(folder)[-self.settings.keep_checkpoints :]
        checkpoint.prune(folder, {*newest, step, self._memory.best_step or step})
        self._saved_step, self._stop.phase = step, "step"
        self._tell("running", step)

    def _tell(self, state: str, step: int, **more: Any) -> None:
        kept = {} if self._saved_step is None else {"saved_step": self._saved_step}
        self.run.set_status(state, step, **kept, **more)

    def _interruption(self, step: int | None) -> InterruptedRunError:
        if self.ranks.is_main:
            self._tell("interrupted", step or 0)
        error = CancelledRunError if self._stop.number == signal.SIGINT else InterruptedRunError
        hint = f"toolkit runs resume {self.run.path}"
        when = "before anything was saved" if step is None else f"after step {step}, saved"
        return error(f"stopped by a signal {when}", where=str(self.run.path), hint=hint)

    def _finish(self, task: Task, step: int, stopped_by: str) -> dict[str, Any]:
        self._stop.phase = "finish"
        if self._stop.number is not None:
            raise self._interruption(step)
        judged = self._take_best(task, step)
        self.progress.note(f"evaluating the model of step {judged}")
        facts = {"steps": step, "stopped_by": stopped_by, "model_step": judged}
        facts["trained_s"] = self._memory.trained_s
        result = {"run": str(self.run.path), **facts, **task.finish(self.run)}
        self.run.write_result(result)
        write_report(self.run)
        self._tell("paused" if stopped_by == "max_time" else "finished", step)
        return result

    def _take_best(self, task: Task, step: int) -> int:
        best = self._memory.best_step
        if best is None or best == step:
            return step
        try:
            _, state = checkpoint.load(self.run.checkpoints / checkpoint.name_of(best))
        except RunError as error:
            self.progress.note(f"{error.what}; judging the last step's model instead of the best")
            return step
        load = task.take_model if isinstance(task, Recording) else task.load_state_dict
        self._take(load, state)
        return best

    def _record_failure(self, error: Exception) -> None:
        try:
            self._tell("failed", self._step, error=str(error))
        except ToolkitError as second:  # a full disk must not hide the first error
            _log.warning("the failure could not be recorded: %s", second.what)
