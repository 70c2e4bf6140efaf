import { pageBackend } from './backends/page-backend.ts'
import { showPage } from './page.ts'

showPage(pageBackend(Date.now()))
